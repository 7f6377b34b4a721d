#include "group_norm_cuda.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include "group_norm_kernels.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::ops::cuda {
namespace {

constexpr std::int64_t kMostVectors = 512;  // of a row: they share a block

bool is_element(at::ScalarType type) {
  return type == at::kFloat || type == at::kHalf || type == at::kBFloat16;
}

Element element_of(const at::Tensor& x) {
  switch (x.scalar_type()) {
    case at::kHalf:
      return Element::kHalf;
    case at::kBFloat16:
      return Element::kBFloat16;
    default:
      return Element::kFloat;
  }
}

NormShape shape_of(const at::Tensor& x, std::int64_t groups, bool silu) {
  return {.images = x.size(0),
          .pixels = x.size(2) * x.size(3),
          .channels = x.size(1),
          .groups = groups,
          .element = element_of(x),
          .silu = silu};
}

void check(const char* failure) {
  if (failure != nullptr) {
    throw Error(leaf::str("group_norm on the GPU: ", failure));
  }
}

void* current_stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

/// float [N, C or G, 2 or 3]: what the kernels keep of each image and channel or group.
at::Tensor table(const at::Tensor& x, std::int64_t columns, std::int64_t numbers) {
  return at::empty({x.size(0), columns, numbers}, x.options().dtype(at::kFloat));
}

class NormaliseFunction : public torch::autograd::Function<NormaliseFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& gain, const at::Tensor& offset, std::int64_t groups,
                            double eps, bool silu) {
    const c10::cuda::CUDAGuard device(x.device());
    const NormShape shape = shape_of(x, groups, silu);
    const at::Tensor partial = table(x, pieces(shape) * x.size(1), 2);
    const at::Tensor moments = table(x, groups, 2);
    const at::Tensor affine = table(x, x.size(1), 2);
    at::Tensor y = at::empty_like(x);
    check(cuda::normalise(shape,
                          {.x = x.const_data_ptr(),
                           .gain = gain.const_data_ptr<float>(),
                           .offset = offset.const_data_ptr<float>(),
                           .partial = partial.mutable_data_ptr<float>(),
                           .moments = moments.mutable_data_ptr<float>(),
                           .affine = affine.mutable_data_ptr<float>(),
                           .y = y.mutable_data_ptr()},
                          eps, current_stream()));
    context->save_for_backward({x, gain, moments, affine});
    context->saved_data["silu"] = silu;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& grads) {
    if (at::GradMode::is_enabled()) {
      throw Error("group_norm: second derivatives are not implemented, use float64 tensors");
    }
    const auto saved = context->get_saved_variables();
    const at::Tensor& x = saved[0];
    const c10::cuda::CUDAGuard device(x.device());
    const at::Tensor grad = grads[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const std::int64_t groups = saved[2].size(1);
    const NormShape shape = shape_of(x, groups, context->saved_data["silu"].toBool());
    const at::Tensor partial = table(x, pieces(shape) * x.size(1), 2);
    const at::Tensor map = table(x, x.size(1), 3);
    at::Tensor dgain = at::empty_like(saved[1]);
    at::Tensor doffset = at::empty_like(saved[1]);
    at::Tensor dx = at::empty_like(x);
    check(cuda::normalise_backward(shape,
                                   {.grad = grad.const_data_ptr(),
                                    .x = x.const_data_ptr(),
                                    .gain = saved[1].const_data_ptr<float>(),
                                    .moments = saved[2].const_data_ptr<float>(),
                                    .affine = saved[3].const_data_ptr<float>(),
                                    .partial = partial.mutable_data_ptr<float>(),
                                    .map = map.mutable_data_ptr<float>(),
                                    .dgain = dgain.mutable_data_ptr<float>(),
                                    .doffset = doffset.mutable_data_ptr<float>(),
                                    .dx = dx.mutable_data_ptr()},
                                   current_stream()));
    return {dx, dgain, doffset, {}, {}, {}};
  }
};

}  // namespace

bool takes(const at::Tensor& x) {
  constexpr std::int64_t kMostImages = 65535;  // blocks in a grid's second direction
  if (!is_element(x.scalar_type()) || x.size(0) > kMostImages) {
    return false;
  }
  const std::int64_t width = vector_width(element_of(x));
  return x.size(1) % width == 0 && x.size(1) / width <= kMostVectors &&
         reinterpret_cast<std::uintptr_t>(x.const_data_ptr()) % 16 == 0;
}

at::Tensor normalise(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& offset,
                     std::int64_t groups, double eps, bool silu) {
  return NormaliseFunction::apply(x, gain.to(at::kFloat).contiguous(),
                                  offset.to(at::kFloat).contiguous(), groups, eps, silu);
}

}  // namespace leaf::ops::cuda
