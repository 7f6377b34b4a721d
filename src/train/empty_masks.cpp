#include "empty_masks.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf {

void warn_of_empty_masks(std::size_t count, const data::DataConfig& config) {
  log::warn(str("no mask has foreground (looked at ", count, " in '", config.root.string(), "'); ",
                config.mask_threshold > 0 ? "for masks of 0 and 1 set data.mask_threshold: 0"
                                          : "check that these are the masks"));
}

void EmptyMaskWatch::look_at(const at::Tensor& masks) {
  constexpr std::size_t kEnough = 64;
  if (done_) {
    return;
  }
  seen_ += static_cast<std::size_t>(masks.size(0));
  const bool empty = !masks.any().item<bool>();
  done_ = !empty || seen_ >= std::min(kEnough, dataset_.size());
  if (done_ && empty) {
    warn_of_empty_masks(seen_, dataset_.config());
  }
}

}  // namespace leaf
