#include "ops/conv2d_gradient.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>
#include <tuple>

#include "leaf/core/error.h"
#include "ops/cpu/conv.h"
#include "ops/cpu/conv_choice.h"

namespace leaf::ops {
namespace {

/// The filters of the gradient with respect to x: turned by 180 degrees, channels exchanged.
at::Tensor turned(const at::Tensor& weight) { return weight.flip({2, 3}).transpose(0, 1); }

/// 3x3, stride 1, padding 1 in the form that suits; undefined where that has no finite result.
at::Tensor convolve_packed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const auto [form, layout] =
      cpu::choose_form(cpu::conv_size(x, weight.size(0)), cpu::Packing::kEachCall);
  const cpu::ConvResult result =
      cpu::packed_conv(x, cpu::pack_filters(weight, form, layout), {.bias = bias});
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

}  // namespace

at::Tensor differentiable_conv3x3(const at::Tensor& x, const at::Tensor& weight,
                                  const at::Tensor& bias) {
  // An undefined tensor has no device, which Function::apply asks for.
  return WinogradFunction::apply(x, weight, bias.defined() ? std::optional(bias) : std::nullopt);
}

}  // namespace leaf::ops
