// The convolution of training against LibTorch in double.
#include "ops/conv2d.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>

#include <vector>

#include "conv_layer.h"
#include "leaf/core/error.h"

namespace leaf::ops {
namespace {

using test::expect_close;
using test::Layer;
using test::normal;
using test::Shape;

struct Gradients {
  at::Tensor y;
  std::vector<at::Tensor> values;  // of x, weight, bias
};

Gradients gradients(at::Tensor x, ConvParameters parameters, const at::Tensor& y_grad) {
  for (at::Tensor* t : {&x, &parameters.weight, &parameters.bias}) {
    *t = t->detach().clone();
    t->set_requires_grad(true);
  }
  const at::Tensor y = conv2d(x, parameters);
  return {.y = y,
          .values = torch::autograd::grad({y}, {x, parameters.weight, parameters.bias}, {y_grad})};
}

TEST(Conv2d, GradientsAreLibTorchsInDouble) {
  for (const Shape& shape : {Shape{4, 32, 48, 16, 16}, Shape{2, 64, 64, 33, 31}}) {
    const Layer layer(shape);
    const at::Tensor y_grad =
        normal({shape.images, shape.out_channels, shape.height, shape.width}, 9);
    const Gradients ours = gradients(layer.x, layer.parameters, y_grad);
    const Gradients exact = gradients(layer.x.to(at::kDouble),
                                      {.weight = layer.parameters.weight.to(at::kDouble),
                                       .bias = layer.parameters.bias.to(at::kDouble),
                                       .stride = 1,
                                       .padding = 1},
                                      y_grad.to(at::kDouble));
    EXPECT_EQ(ours.y.grad_fn()->name().find("Winograd") != std::string::npos, true);
    expect_close(ours.y, exact.y, 1e-5, shape);
    for (std::size_t i = 0; i < exact.values.size(); ++i) {
      expect_close(ours.values[i], exact.values[i], 1e-5, shape);
    }
  }
}

TEST(Conv2d, WorksWithoutABiasWhetherOrNotAnythingIsDifferentiated) {
  const Layer layer({4, 32, 32, 16, 16});
  const ConvParameters parameters{.weight = layer.parameters.weight, .padding = 1};
  const at::Tensor expected = at::conv2d(layer.x, parameters.weight, {}, 1, 1);
  expect_close(conv2d(layer.x, parameters), expected, 1e-5, layer.shape);
  {
    const c10::InferenceMode inference;
    expect_close(conv2d(layer.x, parameters), expected, 1e-5, layer.shape);
  }
  at::Tensor x = layer.x.clone();
  x.set_requires_grad(true);
  const at::Tensor dx = torch::autograd::grad({conv2d(x, parameters).sum()}, {x})[0];
  EXPECT_TRUE(at::isfinite(dx).all().item<bool>());
}

TEST(Conv2d, ASecondDerivativeIsRefusedNotWrong) {
  const Layer layer({4, 32, 32, 16, 16});
  at::Tensor x = layer.x.clone();
  x.set_requires_grad(true);
  const at::Tensor y = conv2d(x, layer.parameters);
  EXPECT_THROW(
      torch::autograd::grad({y.sum()}, {x}, {}, /*retain_graph=*/true, /*create_graph=*/true),
      Error);
}

}  // namespace
}  // namespace leaf::ops
