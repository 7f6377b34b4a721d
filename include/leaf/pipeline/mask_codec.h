#pragma once

#include <ATen/core/TensorBody.h>

namespace leaf {

/// The one place where masks become images of the latent model and back.
/// masks [N, 1, R, R], 0 or 1 -> image [N, 3, R, R] in [0, 1]: three equal channels.
at::Tensor mask_to_image(const at::Tensor& masks);

/// decoded image [N, 3, R, R] in [0, 1] -> foreground probability [N, 1, R, R]: the mean over
/// channels.
at::Tensor image_to_probability(const at::Tensor& image);

}  // namespace leaf
