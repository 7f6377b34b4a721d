#include "leaf/core/strings.h"

#include <gtest/gtest.h>

namespace leaf {

TEST(Strings, NearestFindsAMisspelling) {
  const std::vector<std::string> keys{"learning_rate", "weight_decay", "seed"};
  EXPECT_EQ(nearest("learing_rate", keys), "learning_rate");
  EXPECT_EQ(nearest("sed", keys), "seed");
  EXPECT_EQ(nearest("completely_different", keys), std::nullopt);
}

TEST(Strings, ExactNumbersHaveEveryDigitAndNoMore) {
  EXPECT_EQ(exact(0.1), "0.1");
  EXPECT_EQ(exact(1234567), "1234567");
  EXPECT_EQ(exact(1.0 / 3), "0.3333333333333333");
}

TEST(Strings, HashIsFnv1a64) {
  EXPECT_EQ(fnv1a64(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(fnv1a64("a"), 0xaf63dc4c8601ec8cULL);
}

TEST(Strings, TextForPeople) {
  EXPECT_EQ(fixed(0.12345, 3), "0.123");
  EXPECT_EQ(join({"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(duration_text(725), "12 min 5 s");
  EXPECT_EQ(duration_text(12000), "3 h 20 min");
  EXPECT_EQ(bytes_text(1.4e9), "1.4 GB");
}

TEST(Strings, ControlCharactersAreEscaped) {
  EXPECT_EQ(escaped("a\nb\tc\r\x1b[31m\x7f"), R"(a\nb\tc\r\x1b[31m\x7f)");
  EXPECT_EQ(escaped("\u00e4 \u0085 \u4e2d"), "\u00e4 \\x85 \u4e2d");
  EXPECT_EQ(escaped({"\0\xc2", 2}), "\\x00\xc2");
}

}  // namespace leaf
