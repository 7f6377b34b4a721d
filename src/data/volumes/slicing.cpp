#include <ATen/ATen.h>
#include <nifti2_io.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "leaf/data/volume.h"
#include "volume_reader.h"

namespace leaf::data {
namespace {

/// Along which of the patient's axes an axis of the file runs, and which way.
struct Direction {
  int axis = 0;          ///< 0 left to right, 1 back to front, 2 foot to head
  bool forward = false;  ///< as written there
};

std::array<Direction, 3> directions_of(const VolumeGeometry& geometry) {
  nifti_dmat44 matrix{};
  for (std::size_t row = 0; row < 3; ++row) {
    std::copy(geometry.affine[row].begin(), geometry.affine[row].end(), matrix.m[row]);
  }
  matrix.m[3][3] = 1;
  std::array<int, 3> codes{};
  nifti_dmat44_to_orientation(matrix, &codes[0], &codes[1], &codes[2]);
  std::array<Direction, 3> directions;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const int code = codes[axis] - NIFTI_L2R;  // 0 to 5: L2R, R2L, P2A, A2P, I2S, S2I
    directions[axis] = {code / 2, code % 2 == 0};
  }
  return directions;
}

/// The axis of the largest distance; of equal ones that along the patient, else from back to front.
/// A single slice is one, whatever its distance.
std::size_t coarsest_axis(const VolumeGeometry& geometry,
                          const std::array<Direction, 3>& directions) {
  if (std::count(geometry.size.begin(), geometry.size.end(), 1) == 1) {
    return static_cast<std::size_t>(std::find(geometry.size.begin(), geometry.size.end(), 1) -
                                    geometry.size.begin());
  }
  constexpr double kEqual = 0.99;
  double largest = 0;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    largest = std::max(largest, spacing_along(geometry, axis));
  }
  std::size_t best = 3;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const bool coarse = spacing_along(geometry, axis) >= kEqual * largest;
    if (coarse && (best == 3 || directions[axis].axis > directions[best].axis)) {
      best = axis;
    }
  }
  return best;
}

/// Where voxels [k, j, i, ...] have an axis of the file.
std::int64_t dimension_of(std::size_t axis) { return 2 - static_cast<std::int64_t>(axis); }

std::vector<std::int64_t> flips_of(const Slicing& slicing) {
  const std::array<std::size_t, 3> axes{slicing.across, slicing.down, slicing.right};
  std::vector<std::int64_t> flips;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (slicing.backwards[axes[i]]) {
      flips.push_back(static_cast<std::int64_t>(i));
    }
  }
  return flips;
}

std::vector<std::int64_t> order_of(const Slicing& slicing, std::int64_t dimensions) {
  std::vector<std::int64_t> order{dimension_of(slicing.across), dimension_of(slicing.down),
                                  dimension_of(slicing.right)};
  if (dimensions == 4) {
    order.push_back(3);
  }
  return order;
}

}  // namespace

double spacing_along(const VolumeGeometry& geometry, std::size_t axis) {
  return std::hypot(geometry.affine[0][axis], geometry.affine[1][axis], geometry.affine[2][axis]);
}

Slicing slicing_of(const VolumeGeometry& geometry, SliceAxis axis) {
  const std::array<Direction, 3> directions = directions_of(geometry);
  Slicing slicing;
  slicing.across = axis == SliceAxis::kAuto
                       ? coarsest_axis(geometry, directions)
                       : static_cast<std::size_t>(axis) - static_cast<std::size_t>(SliceAxis::kI);
  slicing.down = (slicing.across + 1) % 3;
  slicing.right = (slicing.across + 2) % 3;
  if (directions[slicing.down].axis < directions[slicing.right].axis) {
    std::swap(slicing.down, slicing.right);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    slicing.backwards[i] = directions[i].forward != (i == slicing.across);
  }
  return slicing;
}

at::Tensor as_slices(const at::Tensor& voxels, const Slicing& slicing) {
  return voxels.permute(order_of(slicing, voxels.dim())).flip(flips_of(slicing));
}

at::Tensor as_voxels(const at::Tensor& slices, const Slicing& slicing) {
  const std::vector<std::int64_t> order = order_of(slicing, slices.dim());
  std::vector<std::int64_t> inverse(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    inverse[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  }
  return slices.flip(flips_of(slicing)).permute(inverse).contiguous();
}

}  // namespace leaf::data
