#include "ops/cpu/conv_geometry.h"

#include <gtest/gtest.h>

#include <utility>

namespace leaf::ops::cpu {
namespace {

using Sides = std::pair<std::int64_t, std::int64_t>;

Sides sides(const MapSize& size) { return {size.height, size.width}; }

TEST(ConvGeometry, SizeOfTheResult) {
  const auto size = [](MapSize map, ConvForm form, std::int64_t kernel, ConvGeometry geometry) {
    return sides(output_size(map, form, kernel, geometry));
  };
  EXPECT_EQ(size({7, 10}, ConvForm::kF4x4, 3, {}), Sides(7, 10));
  EXPECT_EQ(size({7, 10}, ConvForm::kStride2, 3, {.stride = 2}), Sides(4, 5));
  EXPECT_EQ(size({8, 7}, ConvForm::kStride2, 3, {.stride = 2, .padding = 0, .pad_end = 1}),
            Sides(4, 3));
  EXPECT_EQ(size({7, 10}, ConvForm::kUpsample, 3, {}), Sides(14, 20));
  EXPECT_EQ(size({1, 3}, ConvForm::kDirect, 3, {.padding = 0}), Sides(0, 1));
  EXPECT_EQ(size({5, 4}, ConvForm::kDirect, 1, {.padding = 0}), Sides(5, 4));
}

TEST(ConvGeometry, TilesCoverTheResult) {
  EXPECT_EQ(sides(tile_grid({7, 8}, ConvForm::kF4x4)), Sides(2, 2));
  EXPECT_EQ(sides(tile_grid({6, 13}, ConvForm::kF6x6)), Sides(1, 3));
  EXPECT_EQ(sides(tile_grid({4, 3}, ConvForm::kStride2)), Sides(2, 1));
  EXPECT_EQ(sides(tile_grid({4, 3}, ConvForm::kDirect)), Sides(4, 3));
  // Five positions of 4 + 1, and of 5 + 1.
  EXPECT_EQ(sides(tile_grid({8, 10}, ConvForm::kUpsample)), Sides(1, 2));
}

TEST(ConvGeometry, UpsamplingIsTheFormsOrComesBefore) {
  EXPECT_EQ(sides(input_size({3, 5}, ConvForm::kUpsample, true)), Sides(3, 5));
  EXPECT_EQ(sides(input_size({3, 5}, ConvForm::kF4x4, true)), Sides(6, 10));
  EXPECT_EQ(sides(input_size({3, 5}, ConvForm::kF4x4, false)), Sides(3, 5));
}

}  // namespace
}  // namespace leaf::ops::cpu
