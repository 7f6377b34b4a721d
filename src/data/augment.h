#pragma once

#include <ATen/core/TensorBody.h>

#include "leaf/core/random.h"
#include "leaf/data/data_config.h"

namespace leaf::data {

/// The pixels of a training sample.
struct Pixels {
  at::Tensor image;  ///< uint8 [R,R,3]
  at::Tensor mask;   ///< uint8 [R,R], 0 or 1
};

/// Changes a sample at random, as `options` allows; every number comes from `draw`. Turns and
/// scales apply to both, the image by linear interpolation and the mask by nearest neighbours; what
/// lies beyond a border is mirrored. The rest applies to the image alone, in the order of the
/// options. Runs on the calling thread alone.
Pixels augment(const Pixels& pixels, const Augmentation& options, RandomStream draw);

}  // namespace leaf::data
