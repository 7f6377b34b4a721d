#pragma once

#include <ATen/core/TensorBody.h>

#include <cstddef>

#include "leaf/data/dataset.h"

namespace leaf {

/// Warns that `count` masks of the data set were looked at and none has foreground.
void warn_of_empty_masks(std::size_t count, const data::DataConfig& config);

/// Looks at the masks that a run trains on until one has foreground; warns once where the first 64,
/// or as many as the data set has, are all empty.
class EmptyMaskWatch {
 public:
  /// `dataset` must outlive the watch.
  explicit EmptyMaskWatch(const data::Dataset& dataset) : dataset_(dataset) {}

  /// The masks of a batch: float [N,1,R,R].
  void look_at(const at::Tensor& masks);

 private:
  const data::Dataset& dataset_;
  std::size_t seen_ = 0;
  bool done_ = false;
};

}  // namespace leaf
