#pragma once

#include <ATen/core/TensorBody.h>

namespace leaf::losses {

/// Mean absolute difference over all elements. Any equal shapes -> scalar.
at::Tensor l1(const at::Tensor& prediction, const at::Tensor& target);

/// The same with each element weighted by 1 + 4 * edge_weight * p * (1 - p), p its target in [0,
/// 1]: at a mask's edge, where p is one half, by 1 + edge_weight.
at::Tensor edge_l1(const at::Tensor& prediction, const at::Tensor& target, double edge_weight);

/// One minus a Dice that is 1 where both are equal, whatever they are (the Dice semimetric loss of
/// Wang et al., MICCAI 2023): the sum of |p - q| over that of p + q and a pixel, for each image and
/// channel by itself, and the mean of that. target [N, C, R, R] in [0, 1]; a prediction outside of
/// it, as decoders give, counts in the difference alone, so that it learns its way back. -> scalar
/// >= 0; where there is nothing in either, 0.
at::Tensor soft_dice(const at::Tensor& prediction, const at::Tensor& target);

/// Equation 5 of the paper: minus the mean, over tokens and images, of the cosine between the
/// teacher's tokens and the projected features. Both [N, T, D] -> scalar in [-1, 1].
at::Tensor cosine_distillation(const at::Tensor& teacher, const at::Tensor& projected);

/// Log variances within what their exponential can bear.
at::Tensor clamped_log_variance(const at::Tensor& logvar);

/// KL divergence of N(mean, exp(logvar)) from N(0, 1): summed over an image, averaged over the
/// batch. moments [N, 2L, h, w] (mean, then log variance) -> scalar >= 0.
at::Tensor kl_divergence(const at::Tensor& moments);

}  // namespace leaf::losses
