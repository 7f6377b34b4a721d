#pragma once

#include <ATen/core/TensorBody.h>

#include <string>

namespace leaf {

/// The one place where masks become images of the latent model and back.
/// masks [N, 1, R, R], 0 or 1 -> image [N, 3, R, R] in [0, 1]: three equal channels.
at::Tensor mask_to_image(const at::Tensor& masks);

/// decoded image [N, 3, R, R] in [0, 1] -> foreground probability [N, 1, R, R]: the mean over
/// channels.
at::Tensor image_to_probability(const at::Tensor& image);

/// Values [N, ...], each sample of them all NaN where one of its own is not finite: clamping makes
/// an infinity a number like others.
at::Tensor spread_not_finite(const at::Tensor& values);

/// Throws DataError, naming the image, where its probability is not finite.
void require_finite(const at::Tensor& probability, const std::string& name);

}  // namespace leaf
