#include "models/feature_projector.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>

namespace leaf::models {

FeatureProjector::FeatureProjector(std::int64_t in_features, std::int64_t hidden,
                                   std::int64_t out_features)
    : linear_0_(register_module("0", std::make_shared<nn::Linear>(in_features, hidden))),
      linear_2_(register_module("2", std::make_shared<nn::Linear>(hidden, hidden))),
      linear_4_(register_module("4", std::make_shared<nn::Linear>(hidden, out_features))) {}

at::Tensor FeatureProjector::forward(const at::Tensor& features) const {
  const at::Tensor hidden = at::silu(linear_0_->forward(nn::to_tokens(features)));
  return linear_4_->forward(at::silu(linear_2_->forward(hidden)));
}

}  // namespace leaf::models
