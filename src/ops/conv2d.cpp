#include "leaf/ops/conv2d.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include "conv_choice.h"
#include "conv_cpu.h"
#include "group_norm_cpu.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "operator_record.h"

namespace leaf::ops {
namespace {

/// Fewer channels leave most of a panel empty: LibTorch does better.
constexpr std::int64_t kMinChannels = 16;

bool is_cpu_float(const at::Tensor& t) {
  return t.device().is_cpu() && t.scalar_type() == at::kFloat;
}

bool is_float_map(const at::Tensor& x) { return x.dim() == 4 && x.numel() > 0 && is_cpu_float(x); }

bool bias_fits(const at::Tensor& bias, std::int64_t out_channels) {
  return !bias.defined() || (is_cpu_float(bias) && bias.numel() == out_channels);
}

bool wide_enough(const at::Tensor& weight) {
  return weight.size(0) >= kMinChannels && weight.size(1) >= kMinChannels;
}

/// The filters of the gradient with respect to x: turned by 180 degrees, channels exchanged.
at::Tensor turned(const at::Tensor& weight) { return weight.flip({2, 3}).transpose(0, 1); }

cpu::ConvSize size_of(const at::Tensor& x, std::int64_t out_channels) {
  return {.images = x.size(0),
          .map = {.height = x.size(2), .width = x.size(3)},
          .channels = x.size(1),
          .out_channels = out_channels};
}

/// 3x3, stride 1, padding 1 in the form that suits; undefined where that has no finite result.
at::Tensor convolve_packed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto [form, layout] = cpu::choose_form(size_of(x, weight.size(0)), cpu::Packing::kEachCall);
  const cpu::ConvResult result = cpu::packed_conv(x, cpu::pack_filters(weight, form, layout), bias);
  return result.finite ? result.y : at::Tensor();
}

/// 3x3, stride 1, padding 1, as autograd sees it.
class WinogradFunction : public torch::autograd::Function<WinogradFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
    context->save_for_backward({x, weight});
    context->saved_data["bias"] = bias.has_value();
    const at::Tensor y = convolve_packed(x, weight, bias.value_or(at::Tensor()));
    return y.defined() ? y : at::conv2d(x, weight, bias, 1, 1);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    if (at::GradMode::is_enabled()) {
      throw Error("conv2d: second derivatives are not implemented, use float64 tensors");
    }
    const auto saved = context->get_saved_variables();
    const at::Tensor grad = grads[0].contiguous(at::MemoryFormat::ChannelsLast);
    at::Tensor dx;
    at::Tensor dweight;
    at::Tensor dbias;
    if (context->needs_input_grad(0)) {
      dx = x_gradient(grad, saved[0], saved[1]);
    }
    if (context->needs_input_grad(1)) {
      dweight = cpu::weight_gradient(saved[0], grad);
    }
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2)) {
      dbias = grad.sum({0, 2, 3});
    }
    return {dx, dweight, dbias};
  }

 private:
  static at::Tensor x_gradient(const at::Tensor& grad, const at::Tensor& x,
                               const at::Tensor& weight) {
    const at::Tensor dx = convolve_packed(grad, turned(weight), {});
    return dx.defined() ? dx
                        : std::get<0>(at::convolution_backward(
                              grad, x, weight, std::nullopt, {1, 1}, {1, 1}, {1, 1},
                              /*transposed=*/false, {0, 0}, /*groups=*/1, {true, false, false}));
  }
};

bool gains_from_winograd(const at::Tensor& x, const ConvParameters& p) {
  return is_float_map(x) && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         is_cpu_float(p.weight) && bias_fits(p.bias, p.weight.size(0)) && p.weight.size(2) == 3 &&
         p.weight.size(3) == 3 && p.stride == 1 && p.padding == 1 && p.pad_end == 0 &&
         wide_enough(p.weight) && p.weight.size(1) == x.size(1) &&
         !at::autocast::is_autocast_enabled(at::kCPU) &&
         cpu::choose_form(size_of(x, p.weight.size(0)), cpu::Packing::kEachCall).form !=
             cpu::ConvForm::kDirect;
}

at::Tensor padded(const at::Tensor& x, std::int64_t pad_end) {
  return pad_end > 0 ? at::constant_pad_nd(x, {0, pad_end, 0, pad_end}) : x;
}

at::Tensor convolve(const at::Tensor& x, const ConvParameters& p) {
  if (!gains_from_winograd(x, p)) {
    return at::conv2d(padded(x, p.pad_end), p.weight, p.bias, p.stride, p.padding);
  }
  // An undefined tensor has no device, which Function::apply asks for.
  return WinogradFunction::apply(x, p.weight,
                                 p.bias.defined() ? std::optional(p.bias) : std::nullopt);
}

at::Tensor before(const at::Tensor& x, const ConvContext& context) {
  at::Tensor h = x;
  if (const auto& norm = context.norm) {
    h = group_norm_silu(h, norm->groups, norm->weight, norm->bias, norm->eps, norm->modulation);
  }
  if (context.dropout > 0) {
    h = at::dropout(h, context.dropout, /*train=*/true);
  }
  return context.upsample ? upsample_nearest_2x(h) : h;
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.defined() ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

cpu::ConvResult run_packed(const at::Tensor& map, const cpu::PackedFilters& filters,
                           const at::Tensor& bias, const ConvContext& context) {
  const at::Tensor residual = channels_last(context.residual);
  const auto& norm = context.norm;
  const bool reads_small_map = filters.form == cpu::ConvForm::kUpsample || !context.upsample;
  // The direct form reads each value for every tap: better normalised once, before.
  if (!norm || filters.form == cpu::ConvForm::kDirect || !reads_small_map) {
    const at::Tensor x =
        before(map, {.norm = norm, .upsample = context.upsample && !reads_small_map});
    return cpu::packed_conv(channels_last(x), filters, bias, residual);
  }
  const at::Tensor x = channels_last(map);
  const at::Tensor maps = cpu::normalisation_maps(
      x, norm->groups, cpu::each_image(x, norm->weight, norm->bias, norm->modulation), norm->eps);
  return cpu::packed_conv(x, filters, bias, residual, maps);
}

/// Of the result, whether the upsampling runs inside the form or before it.
cpu::MapSize result_size(const at::Tensor& x, const cpu::PackedFilters& filters, bool upsample) {
  const cpu::MapSize map =
      cpu::input_size({.height = x.size(2), .width = x.size(3)}, filters.form, upsample);
  return cpu::output_size(map, filters.form, filters.kernel, filters.geometry);
}

/// Whether the kernels can take these arguments. Wrong ones are left to LibTorch, which explains
/// them.
bool kernels_take(const at::Tensor& x, const cpu::PackedFilters& filters, const at::Tensor& bias,
                  const ConvContext& context) {
  if (x.size(1) != filters.channels || !bias_fits(bias, filters.out_channels) ||
      (filters.form == cpu::ConvForm::kUpsample && !context.upsample)) {
    return false;
  }
  if (context.norm && (context.norm->groups <= 0 || x.size(1) % context.norm->groups != 0)) {
    return false;
  }
  const auto [height, width] = result_size(x, filters, context.upsample);
  const at::Tensor& residual = context.residual;
  return height > 0 && width > 0 &&
         (!residual.defined() ||
          (is_cpu_float(residual) &&
           residual.sizes() == at::IntArrayRef({x.size(0), filters.out_channels, height, width})));
}

bool wants_gradient(const at::Tensor& x, const ConvContext& context) {
  return at::GradMode::is_enabled() &&
         (x.requires_grad() || (context.residual.defined() && context.residual.requires_grad()));
}

const char* name_of(cpu::ConvForm form) {
  switch (form) {
    case cpu::ConvForm::kDirect:
      return "direct";
    case cpu::ConvForm::kF4x4:
      return "F(4x4,3x3)";
    case cpu::ConvForm::kF6x6:
      return "F(6x6,3x3)";
    case cpu::ConvForm::kStride2:
      return "stride 2 by F(3x3,2x2)";
    case cpu::ConvForm::kUpsample:
      break;
  }
  return "sub-pixel F(5x5,2x2)";
}

/// For whoever profiles.
OperatorRecord record(const at::Tensor& x, const cpu::PackedFilters& filters, bool upsample) {
  const auto [height, width] = result_size(x, filters, upsample);
  const std::int64_t side = filters.kernel;
  return {2 * x.size(0) * height * width * filters.channels * filters.out_channels * side * side,
          [&, height = height, width = width] {
            return leaf::str("conv ", side, "x", side, " ", filters.channels, "->",
                             filters.out_channels, " to ", height, "x", width, ", ",
                             name_of(filters.form));
          }};
}

}  // namespace

at::Tensor upsample_nearest_2x(const at::Tensor& x) {
  return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
}

at::Tensor conv2d(const at::Tensor& x, const ConvParameters& parameters,
                  const ConvContext& context) {
  const at::Tensor y = convolve(before(x, context), parameters);
  return context.residual.defined() ? y + context.residual : y;
}

struct PackedConv2d::State {
  explicit State(ConvParameters given) : parameters(std::move(given)) {}

  /// For the first map that comes. The form follows from one image's size alone, so that an image's
  /// result does not depend on its batch; the layout of the filters changes no bit.
  const cpu::PackedFilters& packed_for(const at::Tensor& x, bool upsample) {
    const std::lock_guard lock(mutex);
    if (!filters) {
      const at::Tensor& weight = parameters.weight;
      cpu::ConvSize size = size_of(x, weight.size(0));
      size.kernel = weight.size(2);
      size.geometry = {.stride = parameters.stride,
                       .padding = parameters.padding,
                       .pad_end = parameters.pad_end};
      size.upsample = upsample;
      const auto [form, layout] = cpu::choose_form(size, cpu::Packing::kOnce);
      filters = cpu::pack_filters(weight, form, layout, size.geometry);
      parameters.weight = at::Tensor();
    }
    return *filters;
  }

  ConvParameters plain_parameters() const {
    const std::lock_guard lock(mutex);
    ConvParameters plain = parameters;
    if (filters) {
      plain.weight = cpu::unpack_filters(*filters);
    }
    return plain;
  }

  mutable std::mutex mutex;
  ConvParameters parameters;                  // without the weight once that is packed
  std::optional<cpu::PackedFilters> filters;  // once there, they stay as they are
};

PackedConv2d::PackedConv2d(ConvParameters parameters)
    : state_(std::make_unique<State>(std::move(parameters))) {}

PackedConv2d::~PackedConv2d() = default;

at::Tensor PackedConv2d::forward(const at::Tensor& x, const ConvContext& context) const {
  if (wants_gradient(x, context)) {
    throw Error("a packed convolution has no gradient: train before prepare_for_inference");
  }
  if (!is_float_map(x) || context.dropout > 0) {
    return conv2d(x, state_->plain_parameters(), context);
  }
  const cpu::PackedFilters& filters = state_->packed_for(x, context.upsample);
  const at::Tensor& bias = state_->parameters.bias;
  if (!kernels_take(x, filters, bias, context)) {
    return conv2d(x, state_->plain_parameters(), context);
  }
  const OperatorRecord recorded = record(x, filters, context.upsample);
  const cpu::ConvResult result = run_packed(x, filters, bias, context);
  if (result.finite) {
    return result.y;
  }
  const at::Tensor plain = conv2d(x, state_->plain_parameters(), context);
  const at::Tensor finite =
      at::isfinite(result.y).all(1, /*keepdim=*/true).all(2, true).all(3, true);
  return at::where(finite, result.y, plain);  // the other images of the batch keep theirs
}

std::string PackedConv2d::form() const {
  const std::lock_guard lock(state_->mutex);
  return state_->filters ? name_of(state_->filters->form) : "";
}

}  // namespace leaf::ops
