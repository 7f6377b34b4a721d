#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "leaf/data/volume.h"

namespace leaf::data {

/// A format of volumes: a row of all_volume_readers().
struct VolumeReader {
  /// True for paths that are such a volume; called for what a search for images meets.
  bool (*takes)(const std::filesystem::path& path);
  /// Throws DataError, whose message is the reason alone.
  std::unique_ptr<Volume> (*open)(const std::filesystem::path& path, const VolumeOptions& options);
};

const std::vector<VolumeReader>& all_volume_readers();

/// Throws DataError, whose message is the reason alone, for axes of no voxels and for more voxels
/// than the limit.
void check_voxels(const std::array<std::int64_t, 3>& size, const VolumeLimits& limits);

/// The same for a volume whose axes lie in no space.
void check_volume(const VolumeGeometry& geometry, const VolumeLimits& limits);

/// Distance in mm between voxels along an axis of the file, 0 to 2.
double spacing_along(const VolumeGeometry& geometry, std::size_t axis);

}  // namespace leaf::data
