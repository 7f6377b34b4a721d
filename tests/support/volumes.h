#pragma once

#include <ATen/ATen.h>

#include <array>
#include <filesystem>

#include "leaf/core/error.h"
#include "leaf/data/volume.h"

namespace leaf::test {

/// A volume without a file.
class PlainVolume final : public data::Volume {
 public:
  explicit PlainVolume(const data::VolumeGeometry& geometry)
      : Volume("plain", geometry, data::slicing_of(geometry)) {}

 private:
  data::Picture read(std::int64_t /*index*/) const override { throw DataError("it has no voxels"); }
};

/// Axes that point to the patient's left, back and head, as those of axial DICOM slices do.
inline data::VolumeGeometry axial_geometry(std::array<std::int64_t, 3> size,
                                           std::array<double, 3> spacing = {1, 1, 3}) {
  return {size, {{{-spacing[0], 0, 0, 10}, {0, -spacing[1], 0, 20}, {0, 0, spacing[2], -30}}}};
}

/// Writes voxels [k, j, i] as an axial volume; its slices are voxels[0], voxels[1], ...
inline void write_axial(const std::filesystem::path& path, const at::Tensor& voxels) {
  const PlainVolume source(axial_geometry({voxels.size(2), voxels.size(1), voxels.size(0)}));
  data::write_volume(path, source, voxels);
}

/// All slices of a volume's file, [slices, H, W].
inline at::Tensor read_slices(const std::filesystem::path& path) {
  const auto volume = data::open_volume(path);
  const data::ImageSize size = volume->slice_size();
  return data::stacked_slices(*volume).samples.select(2, 0).reshape(
      {volume->slices(), size.height, size.width});
}

}  // namespace leaf::test
