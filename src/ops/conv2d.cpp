#include "ops/conv2d.h"

#include <ATen/ATen.h>

#include "ops/backend.h"
#include "ops/conv2d_gradient.h"
#include "ops/conv2d_parts.h"
#include "ops/cpu/conv.h"
#include "ops/cpu/conv_choice.h"

namespace leaf::ops {
namespace {

/// Fewer channels leave most of a panel empty: LibTorch does better.
constexpr std::int64_t kMinChannels = 16;

bool wide_enough(const at::Tensor& weight) {
  return weight.size(0) >= kMinChannels && weight.size(1) >= kMinChannels;
}

bool gains_from_winograd(const at::Tensor& x, const ConvParameters& p) {
  return backend_of({x, p.weight, p.bias}) == Backend::kCpu && x.dim() == 4 && x.numel() > 0 &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast) && bias_fits(p.bias, p.weight.size(0)) &&
         p.weight.size(2) == 3 && p.weight.size(3) == 3 && p.stride == 1 && p.padding == 1 &&
         p.pad_end == 0 && wide_enough(p.weight) && p.weight.size(1) == x.size(1) &&
         cpu::choose_form(cpu::conv_size(x, p.weight.size(0)), cpu::Packing::kEachCall).form !=
             cpu::ConvForm::kDirect;
}

at::Tensor padded(const at::Tensor& x, std::int64_t pad_end) {
  return pad_end > 0 ? at::constant_pad_nd(x, {0, pad_end, 0, pad_end}) : x;
}

at::Tensor convolve(const at::Tensor& x, const ConvParameters& p) {
  return gains_from_winograd(x, p)
             ? differentiable_conv3x3(x, p.weight, p.bias)
             : at::conv2d(padded(x, p.pad_end), p.weight, p.bias, p.stride, p.padding);
}

}  // namespace

at::Tensor before_convolution(const at::Tensor& x, const ConvContext& context) {
  at::Tensor h = x;
  if (const auto& norm = context.norm) {
    h = group_norm_silu(h, norm->groups, norm->weight, norm->bias, norm->eps, norm->modulation);
  }
  if (context.dropout > 0) {
    h = at::dropout(h, context.dropout, /*train=*/true);
  }
  return context.upsample ? upsample_nearest_2x(h) : h;
}

at::Tensor upsample_nearest_2x(const at::Tensor& x) {
  return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
}

at::Tensor conv2d(const at::Tensor& x, const ConvParameters& parameters,
                  const ConvContext& context) {
  const at::Tensor y = convolve(before_convolution(x, context), parameters);
  const at::Tensor sum = context.residual.defined() ? y + context.residual : y;
  return context.relu ? at::relu(sum) : sum;
}

}  // namespace leaf::ops
