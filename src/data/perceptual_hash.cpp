#include "data/perceptual_hash.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "data/transforms.h"

namespace leaf::data {
namespace {

/// side * side grey values, row by row.
std::vector<std::uint8_t> shrink(const at::Tensor& rgb, std::int64_t side) {
  const at::Tensor small = resize_image(rgb, side);
  const auto* value = small.const_data_ptr<std::uint8_t>();
  std::vector<std::uint8_t> greys;
  for (std::int64_t i = 0; i < side * side; ++i, value += 3) {
    greys.push_back(
        static_cast<std::uint8_t>((299 * value[0] + 587 * value[1] + 114 * value[2]) / 1000));
  }
  return greys;
}

std::uint64_t difference_bits(const at::Tensor& rgb) {
  constexpr int kSide = 9;
  const std::vector<std::uint8_t> greys = shrink(rgb, kSide);
  std::uint64_t bits = 0;
  for (int row = 0; row + 1 < kSide; ++row) {
    for (int column = 0; column + 1 < kSide; ++column) {
      const auto* left = &greys[static_cast<std::size_t>(row * kSide + column)];
      // Two rows at a time, so that all nine count.
      const bool rises = left[0] + left[kSide] < left[1] + left[kSide + 1];
      bits = bits << 1 | (rises ? 1U : 0U);
    }
  }
  return bits;
}

double mean(const std::array<std::uint8_t, 1024>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// Mean difference of grey levels, the pictures' brightness taken off.
double level_distance(const PictureHash& a, const PictureHash& b) {
  const double offset = mean(a.thumbnail) - mean(b.thumbnail);
  double sum = 0;
  for (std::size_t i = 0; i < a.thumbnail.size(); ++i) {
    sum += std::abs(a.thumbnail[i] - b.thumbnail[i] - offset);
  }
  return sum / static_cast<double>(a.thumbnail.size());
}

/// Blank slices of volumes are all alike.
bool is_flat(const PictureHash& hash) {
  const auto [low, high] = std::minmax_element(hash.thumbnail.begin(), hash.thumbnail.end());
  return *high - *low <= kNearLevels;
}

}  // namespace

PictureHash perceptual_hash(const at::Tensor& rgb) {
  constexpr std::int64_t kThumbnail = 32;
  PictureHash hash;
  hash.bits = difference_bits(rgb);
  const std::vector<std::uint8_t> greys = shrink(rgb, kThumbnail);
  std::copy(greys.begin(), greys.end(), hash.thumbnail.begin());
  return hash;
}

bool is_near_identical(const PictureHash& a, const PictureHash& b) {
  return std::popcount(a.bits ^ b.bits) <= kNearBits && !is_flat(a) &&
         level_distance(a, b) <= kNearLevels;
}

}  // namespace leaf::data
