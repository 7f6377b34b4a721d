#include "train/empty_masks.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace leaf {
namespace {

/// Batches of the given samples, of which those in `with_foreground` are not empty; returns what is
/// printed.
std::string printed_for(std::size_t images, const std::vector<std::vector<std::size_t>>& batches,
                        const std::set<std::size_t>& with_foreground = {}) {
  const data::Dataset dataset(std::vector<data::Pair>(images), {});
  EmptyMaskWatch watch(dataset);
  testing::internal::CaptureStderr();
  for (const auto& indices : batches) {
    const auto count = static_cast<std::int64_t>(indices.size());
    data::Batch batch{.images = {},
                      .masks = at::zeros({count, 1, 4, 4}),
                      .names = {},
                      .indices = indices,
                      .flips = {}};
    for (std::int64_t i = 0; i < count; ++i) {
      if (with_foreground.contains(indices[static_cast<std::size_t>(i)])) {
        batch.masks[i][0][3][2] = 1;
      }
    }
    watch.look_at(batch);
  }
  return testing::internal::GetCapturedStderr();
}

std::vector<std::vector<std::size_t>> consecutive(std::size_t batches, std::size_t size) {
  std::vector<std::vector<std::size_t>> result(batches);
  for (std::size_t i = 0; i < batches * size; ++i) {
    result[i / size].push_back(i);
  }
  return result;
}

TEST(EmptyMasks, AreCountedByImage) {
  EXPECT_EQ(printed_for(6, {{0, 1, 2, 3}, {3, 2, 1, 0}}), "");
  const std::string all = printed_for(6, {{0, 1, 2, 3}, {3, 2, 4, 0}, {5, 1, 2, 3}, {0, 1, 2, 3}});
  EXPECT_NE(all.find("no mask has foreground (looked at 6 in "), std::string::npos) << all;
  EXPECT_EQ(all.find("no mask"), all.rfind("no mask")) << all;
}

TEST(EmptyMasks, OneTargetIsEnough) {
  EXPECT_EQ(printed_for(6, {{0, 1, 2, 3}, {4, 5, 0, 1}}, {5}), "");
  EXPECT_EQ(printed_for(4, {{0, 1}, {2, 3}}, {0}), "");
}

TEST(EmptyMasks, TheFirst64Count) {
  EXPECT_EQ(printed_for(1000, consecutive(8, 8), {63}), "");
  EXPECT_NE(printed_for(1000, consecutive(9, 8), {64}).find("looked at 64"), std::string::npos);
}

}  // namespace
}  // namespace leaf
