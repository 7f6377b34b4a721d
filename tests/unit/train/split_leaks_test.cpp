#include "train/split_leaks.h"

#include <gtest/gtest.h>

namespace leaf {
namespace {

using data::Split;

DividedImage image(const std::string& name, Split part, std::uint64_t bits = 0, int grey = 0) {
  DividedImage made{{.image = name + ".png", .mask = {}, .name = name}, part, {}};
  made.hash.bits = bits;
  for (std::size_t i = 0; i < made.hash.thumbnail.size(); i += 2) {
    made.hash.thumbnail[i] = static_cast<std::uint8_t>(grey + (i % 4 == 0 ? 30 : 0));  // not flat
  }
  return made;
}

}  // namespace

TEST(SplitLeaks, NamesNearIdenticalImagesOfDifferentParts) {
  const std::string text = near_duplicates_text({
      image("a", Split::kTrain, 0b000000),
      image("b", Split::kTrain, 0b000001),     // of the same part as a
      image("c", Split::kTest, 0b011111),      // 5 bits from a, 4 from b
      image("d", Split::kTest, 0b011111, 20),  // the same bits, but 10 grey levels from b
      image("e", Split::kValidation, 0xFFFF),  // far from all
  });
  EXPECT_EQ(text.find("1 pair of near-identical images in different parts (of their hashes at most "
                      "4 of 64 bits differ, of their thumbnails 5 grey levels): "),
            0U)
      << text;
  EXPECT_NE(text.find("'b' (train) and 'c' (test)"), std::string::npos) << text;
  EXPECT_EQ(near_duplicates_text({image("a", Split::kTrain), image("b", Split::kTrain)}), "");
}

TEST(SplitLeaks, AnImageInTwoPartsIsNoPairOfImages) {
  EXPECT_EQ(near_duplicates_text({image("a", Split::kValidation), image("a", Split::kTest)}), "");
}

TEST(SplitLeaks, GroupsAreWhatStandsBeforeTheNumber) {
  EXPECT_EQ(group_of_name("patient07_012"), "patient07");
  EXPECT_EQ(group_of_name("P3-4"), "P3");
  EXPECT_EQ(group_of_name("video1/frame3"), "video1");
  EXPECT_EQ(group_of_name("17"), "");
  EXPECT_EQ(group_of_name("eye"), "");
}

TEST(SplitLeaks, ProposesGroupsWhereThePartsDivideThem) {
  const std::vector<DividedImage> divided = {
      image("p1_1", Split::kTrain), image("p1_2", Split::kTest), image("p2_1", Split::kTrain),
      image("p2_2", Split::kTrain)};
  const std::string text = divided_groups_text(divided);
  EXPECT_NE(text.find("2 groups (patients, videos) and 1 of them, as 'p1', are in several parts"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("SplitConfig::strategy: groups"), std::string::npos) << text;
  // One prefix for all, a group for each image, whole groups, names without a number: nothing.
  EXPECT_EQ(divided_groups_text({image("i_1", Split::kTrain), image("i_2", Split::kTest)}), "");
  EXPECT_EQ(divided_groups_text({image("a1", Split::kTrain), image("b1", Split::kTest)}), "");
  EXPECT_EQ(divided_groups_text({image("a1", Split::kTrain), image("a2", Split::kTrain),
                                 image("b1", Split::kTest), image("b2", Split::kTest)}),
            "");
  EXPECT_EQ(divided_groups_text({image("a1", Split::kTrain), image("a2", Split::kTest),
                                 image("b1", Split::kTest), image("eye", Split::kTest)}),
            "");
}

}  // namespace leaf
