#include "leaf/ops/group_norm.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "cuda/group_norm_cuda.h"
#include "group_norm_cpu.h"
#include "leaf/core/error.h"

namespace leaf::ops {
namespace {

/// The fast path as autograd sees it: gain and offset are [N,C], whatever they were made of.
class NormaliseFunction : public torch::autograd::Function<NormaliseFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& gain, const at::Tensor& offset, std::int64_t groups,
                            double eps, bool silu) {
    const cpu::GroupMoments moments = cpu::group_moments(x, groups, eps);
    context->save_for_backward({x, gain, offset, moments.mean, moments.rstd});
    context->saved_data["silu"] = silu;
    return cpu::normalise(x, moments, gain, offset, silu);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    if (at::GradMode::is_enabled()) {
      throw Error("group_norm: second derivatives are not implemented, use float64 tensors");
    }
    const auto saved = context->get_saved_variables();
    const auto [x, gain, offset] =
        cpu::normalise_backward(grads[0].contiguous(at::MemoryFormat::ChannelsLast), saved[0],
                                {.mean = saved[3], .rstd = saved[4]}, saved[1], saved[2],
                                context->saved_data["silu"].toBool());
    return {x, gain, offset, {}, {}, {}};
  }
};

bool on_fast_path(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight,
                  const at::Tensor& bias) {
  const auto usable = [](const at::Tensor& t) {
    return t.device().is_cpu() && t.scalar_type() == at::kFloat;
  };
  // Wrong arguments are left to LibTorch, which explains them.
  return x.dim() == 4 && x.numel() > 0 && usable(x) && usable(weight) && usable(bias) &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast) && groups > 0 && x.size(1) % groups == 0 &&
         weight.numel() == x.size(1) && bias.numel() == x.size(1) &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

at::Tensor normalise(const at::Tensor& x, std::int64_t groups, const cpu::ChannelAffine& affine,
                     double eps, bool silu) {
  const auto& [gain, offset] = affine;
  const bool differentiable = at::GradMode::is_enabled() &&
                              (x.requires_grad() || gain.requires_grad() || offset.requires_grad());
  return differentiable ? NormaliseFunction::apply(x, gain, offset, groups, eps, silu)
                        : cpu::normalise(x, cpu::group_moments(x, groups, eps), gain, offset, silu);
}

}  // namespace

at::Tensor group_norm(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight,
                      const at::Tensor& bias, double eps) {
  if (cuda::takes(x, groups)) {
    const auto [gain, offset] = cpu::each_image(x, weight, bias, {});
    return cuda::normalise(x, gain, offset, groups, eps, /*silu=*/false);
  }
  return on_fast_path(x, groups, weight, bias)
             ? normalise(x, groups, cpu::each_image(x, weight, bias, {}), eps, /*silu=*/false)
             : at::group_norm(x, groups, weight, bias, eps);
}

at::Tensor group_norm_silu(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight,
                           const at::Tensor& bias, double eps,
                           const std::optional<ScaleShift>& modulation) {
  if (cuda::takes(x, groups)) {
    const auto [gain, offset] = cpu::each_image(x, weight, bias, modulation);
    return cuda::normalise(x, gain, offset, groups, eps, /*silu=*/true);
  }
  if (on_fast_path(x, groups, weight, bias)) {
    return normalise(x, groups, cpu::each_image(x, weight, bias, modulation), eps, /*silu=*/true);
  }
  const at::Tensor h = at::group_norm(x, groups, weight, bias, eps);
  if (!modulation) {
    return at::silu(h);
  }
  const auto as_map = [](const at::Tensor& t) { return t.unsqueeze(-1).unsqueeze(-1); };
  return at::silu(at::addcmul(as_map(modulation->shift), h, 1 + as_map(modulation->scale)));
}

}  // namespace leaf::ops
