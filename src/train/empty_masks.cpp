#include "empty_masks.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf {

std::string empty_masks_text(std::size_t count, const data::Dataset& dataset) {
  return str(
      "no mask has foreground (looked at ", count, " in '", dataset.config().root.string(),
      "'); check DataConfig::masks and DataConfig::mask_threshold against the values they hold");
}

void EmptyMaskWatch::look_at(const data::Batch& batch) {
  constexpr std::size_t kEnough = 64;
  if (done_) {
    return;
  }
  seen_.insert(batch.indices.begin(), batch.indices.end());
  const bool empty = !batch.masks.any().item<bool>();
  done_ = !empty || seen_.size() >= std::min(kEnough, dataset_.size());
  if (done_ && empty) {
    log::warn(empty_masks_text(seen_.size(), dataset_));
  }
}

}  // namespace leaf
