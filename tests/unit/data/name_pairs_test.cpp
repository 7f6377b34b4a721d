#include "leaf/data/name_pairs.h"

#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "support/images.h"

namespace leaf::data {
namespace {

using Names = std::vector<std::string>;

FilesByName files(const Names& names) {
  FilesByName result;
  for (const std::string& name : names) {
    result.emplace(name, name + ".png");
  }
  return result;
}

/// "first=second" of every pair.
Names pairs_of(const NamePairs& matched) {
  Names result;
  for (const NamePair& pair : matched.pairs) {
    result.push_back(pair.first.stem().string() + "=" + pair.second.stem().string());
  }
  return result;
}

}  // namespace

TEST(NamePairs, AnAffixGoesRoundTheLastPartOfAName) {
  const NameAffix affix{"m_", "_gt"};
  EXPECT_EQ(affix.add_to("sub/a"), "sub/m_a_gt");
  EXPECT_EQ(affix.take_from("sub/m_a_gt"), "sub/a");
  EXPECT_EQ(affix.take_from("sub/m__gt"), std::nullopt);
  EXPECT_EQ(affix.take_from("m_sub/a_gt"), std::nullopt);
  EXPECT_EQ(NameAffix{}.take_from("a"), "a");
}

TEST(NamePairs, MatchesInNaturalOrderAndListsTheRest) {
  const NamePairs matched =
      match_names(files({"10", "2", "x"}), files({"2_gt", "10_gt", "y_gt", "x"}), {"", "_gt"});
  EXPECT_EQ(pairs_of(matched), (Names{"2=2_gt", "10=10_gt"}));
  EXPECT_EQ(matched.without_second, (Names{"x"}));
  EXPECT_EQ(matched.without_first, (Names{"x", "y_gt"}));
}

TEST(NamePairs, NamesThatLookAlikeAreTakenForTheSameAndThatIsSaid) {
  const std::string composed = "M\xC3\xBCller";
  const std::string decomposed = "Mu\xCC\x88ller";
  testing::internal::CaptureStderr();
  const NamePairs matched =
      match_names(files({"a", composed, "IMG_2"}), files({"a", decomposed, "img_2"}), {});
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(matched.pairs.size(), 3U);
  EXPECT_TRUE(matched.without_first.empty());
  EXPECT_NE(said.find("are taken for the same: 2 pairs"), std::string::npos) << said;
}

TEST(NamePairs, WhereSeveralLookAlikeOnlyTheSameNameCounts) {
  const NamePairs matched = match_names(files({"a", "A"}), files({"a", "B"}), {});
  EXPECT_EQ(pairs_of(matched), (Names{"a=a"}));
  const NamePairs none = match_names(files({"ab"}), files({"Ab", "aB"}), {});
  EXPECT_TRUE(none.pairs.empty());
}

TEST(NamePairs, TheAffixOfMostIsGuessed) {
  Names images;
  Names masks;
  for (int i = 1; i <= 12; ++i) {
    images.push_back(std::to_string(i));
    masks.push_back("mask_" + std::to_string(i) + "-seg");
  }
  masks.push_back("readme");
  const auto guess = guess_affix(files(images), files(masks));
  ASSERT_TRUE(guess.has_value());
  EXPECT_EQ(guess->affix.prefix, "mask_");
  EXPECT_EQ(guess->affix.suffix, "-seg");
  EXPECT_EQ(guess->pairs, 12U);
  EXPECT_FALSE(guess_affix(files({"a", "b"}), files({"c", "d"})).has_value());
  EXPECT_FALSE(guess_affix(files({"a", "b"}), files({"a", "b"})).has_value());
}

TEST(NamePairs, TwoFilesOfOneNameAreRefused) {
  const std::string message = test::message_of<DataError>([] {
    files_by_name("in", {"in/sub/a.png", "in/sub/a.jpg"});
  });
  EXPECT_NE(message.find("have the same name"), std::string::npos) << message;
}

}  // namespace leaf::data
