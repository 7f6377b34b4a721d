#pragma once

#include <cstdint>
#include <memory>

#include "nn/layers.h"

namespace leaf::models {

/// The MLP between a U-Net feature map and the teacher's tokens (training only): three linear
/// layers with SiLU between them. Keys 0, 2, 4.
class FeatureProjector : public torch::nn::Module {
 public:
  FeatureProjector(std::int64_t in_features, std::int64_t hidden, std::int64_t out_features);
  /// feature map [N, C, h, w] -> tokens [N, h*w, D], row-major
  at::Tensor forward(const at::Tensor& features) const;

 private:
  std::shared_ptr<nn::Linear> linear_0_, linear_2_, linear_4_;
};

}  // namespace leaf::models
