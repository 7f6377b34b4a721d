#include "core/look_alike.h"

#include <gtest/gtest.h>

namespace leaf {

TEST(LookAlike, CaseAndUnicodesFormDoNotMatter) {
  const std::string composed = "M\xC3\xBCller";     // u with two dots as one character
  const std::string decomposed = "Mu\xCC\x88ller";  // u, then two dots
  EXPECT_NE(composed, decomposed);
  EXPECT_EQ(look_alike_key(composed), look_alike_key(decomposed));
  EXPECT_EQ(look_alike_key("IMG_1.PNG"), look_alike_key("img_1.png"));
  EXPECT_EQ(look_alike_key("\xC3\x84"), look_alike_key("\xC3\xA4"));  // capital and small
  EXPECT_NE(look_alike_key("a"), look_alike_key("\xC3\xA4"));
  EXPECT_NE(look_alike_key("img1"), look_alike_key("img_1"));
}

TEST(LookAlike, BytesThatAreNoTextKeepTheirValue) {
  EXPECT_EQ(look_alike_key("A\xFF"), "a\xFF");
  EXPECT_EQ(look_alike_key(""), "");
}

}  // namespace leaf
