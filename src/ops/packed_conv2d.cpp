#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "ops/backend.h"
#include "ops/channel_affine.h"
#include "ops/conv2d.h"
#include "ops/conv2d_parts.h"
#include "ops/cpu/conv.h"
#include "ops/cpu/conv_choice.h"
#include "ops/cpu/group_norm.h"
#include "ops/operator_record.h"

namespace leaf::ops {
namespace {

at::Tensor channels_last(const at::Tensor& x) {
  return x.defined() ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

cpu::ConvResult run_packed(const at::Tensor& map, const cpu::PackedFilters& filters,
                           const at::Tensor& bias, const ConvContext& context) {
  const auto& norm = context.norm;
  cpu::ConvFusion fusion{
      .bias = bias, .residual = channels_last(context.residual), .relu = context.relu};
  const bool reads_small_map = filters.form == cpu::ConvForm::kUpsample || !context.upsample;
  // The direct form reads each value for every tap: better normalised once, before.
  if (!norm || filters.form == cpu::ConvForm::kDirect || !reads_small_map) {
    const at::Tensor x =
        before_convolution(map, {.norm = norm, .upsample = context.upsample && !reads_small_map});
    return cpu::packed_conv(channels_last(x), filters, fusion);
  }
  const at::Tensor x = channels_last(map);
  fusion.silu_maps = cpu::normalisation_maps(
      x, norm->groups, each_image(x, norm->weight, norm->bias, norm->modulation), norm->eps);
  return cpu::packed_conv(x, filters, fusion);
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
  if (backend_of({x, bias, context.residual}) != Backend::kCpu || x.size(1) != filters.channels ||
      !bias_fits(bias, filters.out_channels) ||
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
          residual.sizes() == at::IntArrayRef({x.size(0), filters.out_channels, height, width}));
}

bool wants_gradient(const at::Tensor& x, const at::Tensor& bias, const ConvContext& context) {
  if (!at::GradMode::is_enabled()) {
    return false;
  }
  std::vector<at::Tensor> all{x, bias, context.residual};
  if (context.norm) {
    all.insert(all.end(), {context.norm->weight, context.norm->bias});
    if (context.norm->modulation) {
      all.insert(all.end(), {context.norm->modulation->scale, context.norm->modulation->shift});
    }
  }
  return std::any_of(all.begin(), all.end(),
                     [](const at::Tensor& t) { return t.defined() && t.requires_grad(); });
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

struct PackedConv2d::State {
  explicit State(ConvParameters given) : parameters(std::move(given)) {}

  /// For the first map that comes. The form follows from one image's size alone, so that an image's
  /// result does not depend on its batch; the layout of the filters changes no bit.
  const cpu::PackedFilters& packed_for(const at::Tensor& x, bool upsample) {
    const std::lock_guard lock(mutex);
    if (!filters) {
      const at::Tensor& weight = parameters.weight;
      cpu::ConvSize size = cpu::conv_size(x, weight.size(0));
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
  if (wants_gradient(x, state_->parameters.bias, context)) {
    throw Error("a packed convolution has no gradient: train before prepare_for_inference");
  }
  if (backend_of({x}) != Backend::kCpu || x.dim() != 4 || x.numel() == 0 || context.dropout > 0) {
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
  if (context.relu) {  // which would hide a result of minus infinity
    ConvContext linear = context;
    linear.relu = false;
    return at::relu(forward(x, linear));
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
