#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "leaf/data/volume.h"

namespace leaf::data {

/// A format of volumes: a row of all_volume_readers().
struct VolumeReader {
  std::vector<std::string> endings;  ///< of its files' names: ".nii.gz"; of folders none
  /// True for paths that are such a volume, by name alone; called for every file of a folder.
  bool (*takes)(const std::filesystem::path& path);
  std::unique_ptr<Volume> (*open)(const std::filesystem::path& path, const VolumeOptions& options);
};

const std::vector<VolumeReader>& all_volume_readers();

/// Throws DataError, whose message is the reason alone, unless a volume is one to read.
void check_volume(const VolumeGeometry& geometry, const VolumeLimits& limits);

}  // namespace leaf::data
