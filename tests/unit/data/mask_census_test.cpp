#include "leaf/data/mask_census.h"

#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "support/images.h"

namespace leaf::data {
namespace {

std::vector<MaskRemark> one(MaskOddity oddity, std::size_t index) {
  return {{oddity, str("mask '", index, "'"), "is odd"}};
}

std::string logged(MaskCensus& census, bool first_only = false) {
  testing::internal::CaptureStderr();
  census.log_lines(false, first_only);
  return testing::internal::GetCapturedStderr();
}

TEST(MaskCensus, OneLineAKindWithCountAndExamples) {
  MaskCensus census(10);
  for (const std::size_t index : {7, 3, 5, 9, 1}) {
    census.add(index, one(MaskOddity::kSeveral, index), true);
  }
  census.add(3, one(MaskOddity::kSeveral, 3), true);  // read once more
  census.add(0, one(MaskOddity::kNoise, 0), true);
  EXPECT_EQ(census.lines(), (std::vector<std::string>{
                                "mask '1' is odd (5 of 6 are so, as mask '3' and mask '5' too)",
                                "mask '0' is odd"}));
  EXPECT_FALSE(census.complete());
}

TEST(MaskCensus, SetsAddUp) {
  MaskCensus a(2);
  a.add(1, one(MaskOddity::kNoise, 1), false);
  MaskCensus b(2);
  b.add(0, one(MaskOddity::kNoise, 2), false);
  MaskCensus all;
  all.add(a);
  all.add(b);
  EXPECT_EQ(all.lines(), std::vector<std::string>{"mask '1' is odd (2 of 2 are so, mask '2' too)"});
}

TEST(MaskCensus, WhatWasLoggedIsNotRepeated) {
  MaskCensus census(3);
  census.add(0, one(MaskOddity::kNoise, 0), true);
  EXPECT_EQ(logged(census, true), "warning: mask '0' is odd\n");
  census.add(1, one(MaskOddity::kNoise, 1), true);
  EXPECT_EQ(logged(census, true), "");
  EXPECT_EQ(logged(census), "warning: mask '0' is odd (2 of 2 are so, mask '1' too)\n");
  EXPECT_EQ(logged(census), "");
}

TEST(MaskCensus, BordersAreSaidWhereTheyAreAskedForAndTurnedMapsWhereTheyAreMost) {
  MaskCensus census(3);
  census.add(0, one(MaskOddity::kBorder, 0), true);
  census.add(1, one(MaskOddity::kTurned, 1), true);
  EXPECT_TRUE(census.lines().empty());
  EXPECT_EQ(census.lines(true), std::vector<std::string>{"mask '0' is odd"});
  census.add(2, one(MaskOddity::kTurned, 2), true);
  EXPECT_EQ(census.lines().size(), 1U);
}

TEST(MaskCensus, ASetWithoutATargetIsRefusedWhereTheThresholdIsToBlame) {
  MaskCensus census(3);
  census.add(0, {}, false);
  EXPECT_NO_THROW(census.require_target());
  census.add(1, one(MaskOddity::kNoneAbove, 1), false);
  EXPECT_EQ(test::message_of<DataError>([&] { census.require_target(); }),
            "mask '1' is odd; the others hold 0 alone");
  census.add(2, {}, true);
  EXPECT_NO_THROW(census.require_target());
}

}  // namespace
}  // namespace leaf::data
