#include "ops/group_norm.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "leaf/core/error.h"
#include "ops/backend.h"
#include "ops/channel_affine.h"
#include "ops/cpu/group_norm.h"
#include "ops/cuda/group_norm_cuda.h"

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

/// Whose kernels take these arguments. Wrong ones are left to LibTorch, which explains them.
Backend backend_taking(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight,
                       const at::Tensor& bias) {
  const Backend backend = backend_of({x, weight, bias});
  const bool fits =
      x.dim() == 4 && x.numel() > 0 && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
      groups > 0 && x.size(1) % groups == 0 && weight.numel() == x.size(1) &&
      bias.numel() == x.size(1) && weight.device() == x.device() && bias.device() == x.device();
  return fits && (backend != Backend::kCuda || cuda::takes(x)) ? backend : Backend::kLibTorch;
}

at::Tensor normalise(Backend backend, const at::Tensor& x, std::int64_t groups,
                     const ChannelAffine& affine, double eps, bool silu) {
  const auto& [gain, offset] = affine;
  if (backend == Backend::kCuda) {
    return cuda::normalise(x, gain, offset, groups, eps, silu);
  }
  const bool differentiable = at::GradMode::is_enabled() &&
                              (x.requires_grad() || gain.requires_grad() || offset.requires_grad());
  return differentiable ? NormaliseFunction::apply(x, gain, offset, groups, eps, silu)
                        : cpu::normalise(x, cpu::group_moments(x, groups, eps), gain, offset, silu);
}

}  // namespace

at::Tensor group_norm(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight,
                      const at::Tensor& bias, double eps) {
  const Backend backend = backend_taking(x, groups, weight, bias);
  return backend == Backend::kLibTorch
             ? at::group_norm(x, groups, weight, bias, eps)
             : normalise(backend, x, groups, each_image(x, weight, bias, {}), eps, /*silu=*/false);
}

at::Tensor group_norm_silu(const at::Tensor& x, std::int64_t groups, const at::Tensor& weight,
                           const at::Tensor& bias, double eps,
                           const std::optional<ScaleShift>& modulation) {
  const Backend backend = backend_taking(x, groups, weight, bias);
  if (backend != Backend::kLibTorch) {
    return normalise(backend, x, groups, each_image(x, weight, bias, modulation), eps,
                     /*silu=*/true);
  }
  const at::Tensor h = at::group_norm(x, groups, weight, bias, eps);
  if (!modulation) {
    return at::silu(h);
  }
  const auto as_map = [&](const at::Tensor& t) {  // [N or 1, C] -> [N or 1, C, 1, ...]
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
    std::copy(t.sizes().begin(), t.sizes().end(), shape.begin());
    return t.view(shape);
  };
  return at::silu(at::addcmul(as_map(modulation->shift), h, 1 + as_map(modulation->scale)));
}

}  // namespace leaf::ops
