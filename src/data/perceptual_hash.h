#pragma once

#include <ATen/core/TensorBody.h>

#include <array>
#include <cstdint>

namespace leaf::data {

/// What a picture is recognised by at another size, brightness or JPEG quality.
struct PictureHash {
  /// A difference hash (dHash): of 9x9 grey values, whether the brightness rises from one column to
  /// the next, 64 bits.
  std::uint64_t bits = 0;
  /// 32x32 grey values, since pictures of one kind (fundi, chests) may have the same bits.
  std::array<std::uint8_t, 1024> thumbnail{};
};

/// rgb: uint8 [H,W,3].
PictureHash perceptual_hash(const at::Tensor& rgb);

/// Bits, and mean grey levels of the thumbnails apart from their brightness, that near-identical
/// pictures may differ in.
inline constexpr int kNearBits = 4;
inline constexpr double kNearLevels = 5;

bool is_near_identical(const PictureHash& a, const PictureHash& b);

}  // namespace leaf::data
