#pragma once

#include <ATen/core/TensorBody.h>

#include <vector>

namespace leaf {

/// What STAPLE estimates of several masks of one image.
struct Staple {
  at::Tensor probability;           ///< float32 [H,W]: that a pixel is target
  std::vector<double> sensitivity;  ///< of each mask
  std::vector<double> specificity;  ///< of each mask
};

/// Simultaneous truth and performance level estimation (Warfield, Zou and Wells, 2004) of two
/// classes, by expectation maximisation: the probability of each pixel given how reliable each mask
/// is, and the reliability given the probabilities, in turns. Begins with the share of masks that
/// have a pixel; the prior is the mean of that share. masks: bool [K,H,W], K of 1 or more.
Staple staple(const at::Tensor& masks);

}  // namespace leaf
