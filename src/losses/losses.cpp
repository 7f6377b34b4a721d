#include "losses/losses.h"

#include <ATen/ATen.h>

namespace leaf::losses {

at::Tensor l1(const at::Tensor& prediction, const at::Tensor& target) {
  return at::l1_loss(prediction, target);
}

at::Tensor edge_l1(const at::Tensor& prediction, const at::Tensor& target, double edge_weight) {
  const at::Tensor weight = 1 + 4 * edge_weight * target * (1 - target);
  return (weight * (prediction - target).abs()).mean();
}

at::Tensor soft_dice(const at::Tensor& prediction, const at::Tensor& target) {
  constexpr double kPixel = 1;  // so that an empty image divides
  const at::Tensor areas = prediction.clamp(0, 1).sum({2, 3}) + target.sum({2, 3});
  return ((prediction - target).abs().sum({2, 3}) / (areas + kPixel)).mean();
}

at::Tensor cosine_distillation(const at::Tensor& teacher, const at::Tensor& projected) {
  constexpr double kEps = 1e-12;  // as torch.nn.functional.normalize
  const auto unit = [](const at::Tensor& x) {
    return x / x.norm(2, at::IntArrayRef{-1}, /*keepdim=*/true).clamp_min(kEps);
  };
  return -(unit(teacher) * unit(projected)).sum(-1).mean();
}

at::Tensor clamped_log_variance(const at::Tensor& logvar) { return logvar.clamp(-30, 20); }

at::Tensor kl_divergence(const at::Tensor& moments) {
  const auto halves = moments.chunk(2, 1);
  const at::Tensor logvar = clamped_log_variance(halves[1]);
  return 0.5 * (halves[0].square() + logvar.exp() - 1 - logvar).sum({1, 2, 3}).mean();
}

}  // namespace leaf::losses
