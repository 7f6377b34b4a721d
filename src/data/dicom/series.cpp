#include "series.h"

#include <algorithm>
#include <cmath>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data::dicom {
namespace {

double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Vector cross(const Vector& a, const Vector& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

bool is_close(const Vector& a, const Vector& b) {
  constexpr double kTolerance = 1e-3;
  return std::abs(a[0] - b[0]) < kTolerance && std::abs(a[1] - b[1]) < kTolerance &&
         std::abs(a[2] - b[2]) < kTolerance;
}

std::string name_of(const PlacedFrame& frame) {
  return str("'", printable(frame.source.file.filename().string()), "'");
}

void check_alike(const std::vector<PlacedFrame>& frames) {
  const PlacedFrame& one = frames.front();
  for (const PlacedFrame& frame : frames) {
    if (frame.size != one.size || frame.spacing != one.spacing) {
      throw DataError(str("its slices ", name_of(one), " and ", name_of(frame),
                          " differ in size or in the distance of their pixels"));
    }
    if (!is_close(frame.across, one.across) || !is_close(frame.down, one.down)) {
      throw DataError(str("its slices ", name_of(one), " and ", name_of(frame),
                          " lie in different directions"));
    }
  }
}

/// Distances along the normal; throws DataError for one of none.
std::vector<double> distances_of(const std::vector<PlacedFrame>& frames, const Vector& normal) {
  constexpr double kLeast = 1e-3;
  std::vector<double> distances;
  for (std::size_t i = 1; i < frames.size(); ++i) {
    const double distance = dot(frames[i].position, normal) - dot(frames[i - 1].position, normal);
    if (distance < kLeast) {
      throw DataError(
          str("its slices ", name_of(frames[i - 1]), " and ", name_of(frames[i]),
              " lie at the same place; put each pass of the scan into a folder of its own"));
    }
    distances.push_back(distance);
  }
  return distances;
}

std::string remark_on(std::vector<double> distances) {
  if (distances.empty()) {
    return "";
  }
  constexpr double kEqual = 0.01;
  constexpr double kGap = 1.5;
  std::sort(distances.begin(), distances.end());
  const double usual = distances[distances.size() / 2];
  if (distances.back() - distances.front() <= kEqual * usual) {
    return "";
  }
  return str("its slices lie ", fixed(distances.front(), 2), " to ", fixed(distances.back(), 2),
             " mm apart", distances.back() > kGap * usual ? ", as if some were missing" : "",
             "; a NIfTI file of them has equal distances");
}

/// Of the first voxel to the next along each axis, in RAS+.
VolumeGeometry geometry_of(const std::vector<PlacedFrame>& frames, const Vector& normal) {
  const PlacedFrame& first = frames.front();
  const auto count = static_cast<double>(frames.size());
  VolumeGeometry geometry;
  geometry.size = {first.size[0], first.size[1], static_cast<std::int64_t>(frames.size())};
  for (std::size_t row = 0; row < 3; ++row) {
    const double sign = row < 2 ? -1 : 1;  // DICOM's coordinates grow to the left and to the back
    const double step = frames.size() > 1
                            ? (frames.back().position[row] - first.position[row]) / (count - 1)
                            : normal[row] * first.depth;
    geometry.affine[row] = {sign * first.across[row] * first.spacing[1],
                            sign * first.down[row] * first.spacing[0], sign * step,
                            sign * first.position[row]};
  }
  return geometry;
}

}  // namespace

Series put_in_order(std::vector<PlacedFrame> frames) {
  check_alike(frames);
  const Vector normal = cross(frames.front().across, frames.front().down);
  std::stable_sort(frames.begin(), frames.end(), [&](const auto& a, const auto& b) {
    return dot(a.position, normal) < dot(b.position, normal);
  });
  Series series;
  series.remark = remark_on(distances_of(frames, normal));
  series.geometry = geometry_of(frames, normal);
  series.frames = std::move(frames);
  return series;
}

}  // namespace leaf::data::dicom
