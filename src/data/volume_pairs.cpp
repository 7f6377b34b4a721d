#include "volume_pairs.h"

#include <algorithm>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data {

std::vector<Pair> with_slices(const std::vector<Pair>& pairs, SliceAxis axis) {
  std::vector<Pair> result;
  for (const Pair& pair : pairs) {
    if (!is_volume(pair.image)) {
      result.push_back(pair);
      continue;
    }
    if (!is_volume(pair.mask)) {
      throw DataError(str("mask '", pair.mask.string(), "' is no volume, as its image '",
                          pair.image.string(), "' is; pair the right files"));
    }
    const auto image = open_volume(pair.image, {.axis = axis});
    require_same_place(*open_volume(pair.mask, {.axis = axis}), *image);
    for (std::int64_t i = 0; i < image->slices(); ++i) {
      result.push_back(pair);
      result.back().name = slice_name(pair.name, i);
      result.back().slice = i;
    }
  }
  return result;
}

std::shared_ptr<const Volume> VolumeShelf::open(const std::filesystem::path& path,
                                                std::size_t files) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(volumes_.begin(), volumes_.end(),
                                  [&](const auto& item) { return item.first == path; });
  if (found != volumes_.end()) {
    volumes_.splice(volumes_.begin(), volumes_, found);
  } else {
    volumes_.emplace_front(path, open_volume(path, {.axis = axis_}));
    volumes_.resize(std::min(volumes_.size(), 2 * files));
  }
  return volumes_.front().second;
}

}  // namespace leaf::data
