#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "data/loader.h"

namespace leaf {

/// Says that none of the masks of `dataset` that were looked at, `count`, has foreground.
std::string empty_masks_text(std::size_t count, const data::Dataset& dataset);

/// Looks at the masks that a run trains on until one has foreground; warns once where the first 64,
/// or as many as the data set has, are all empty.
class EmptyMaskWatch {
 public:
  /// `dataset` must outlive the watch.
  explicit EmptyMaskWatch(const data::Dataset& dataset) : dataset_(dataset) {}

  void look_at(const data::Batch& batch);

 private:
  const data::Dataset& dataset_;
  std::set<std::size_t> seen_;
  bool done_ = false;
};

}  // namespace leaf
