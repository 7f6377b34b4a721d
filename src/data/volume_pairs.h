#pragma once

#include <cstddef>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "leaf/data/data_config.h"
#include "leaf/data/dataset.h"
#include "leaf/data/pair.h"
#include "leaf/data/volume.h"

namespace leaf::data {

/// Every pair of volumes becomes pairs of their slices, "NAME#0", "NAME#1", ...; the headers are
/// read. Throws DataError as of open_volume, for a volume whose mask is none, and for slices that
/// are not as many.
std::vector<Pair> with_slices(const std::vector<Pair>& pairs, SliceAxis axis);

/// The volumes that were asked for last, so that one is not read anew for each of its slices: those
/// of the case at work and the one before. May be used from several threads.
class VolumeShelf {
 public:
  explicit VolumeShelf(SliceAxis axis) : axis_(axis) {}
  /// `files`: of a case, mask and channels.
  std::shared_ptr<const Volume> open(const std::filesystem::path& path, std::size_t files = 2);

 private:
  SliceAxis axis_;
  std::mutex mutex_;
  /// The last one first.
  std::list<std::pair<std::filesystem::path, std::shared_ptr<const Volume>>> volumes_;
};

/// load_pair() of a data set's many pairs.
LoadedPair load_pair(const Pair& pair, const DataConfig& config, VolumeShelf& volumes);

}  // namespace leaf::data
