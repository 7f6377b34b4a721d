#include "ops/attention.h"

#include <ATen/ATen.h>

#include <cstdint>

#include "ops/backend.h"
#include "ops/cpu/attention.h"

namespace leaf::ops {
namespace {

constexpr std::int64_t kMinKeys = 64;  // fewer are too little work to lay them out for

bool wants_gradient(const at::Tensor& t) { return at::GradMode::is_enabled() && t.requires_grad(); }

/// Wrong arguments are left to LibTorch, which explains them.
bool cpu_takes(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return backend_of({q, k, v}) == Backend::kCpu && q.dim() == 4 && k.dim() == 4 && q.numel() > 0 &&
         k.numel() > 0 && k.sizes() == v.sizes() && q.size(0) == k.size(0) &&
         q.size(1) == k.size(1) && q.size(3) == k.size(3) && k.size(2) >= kMinKeys &&
         !wants_gradient(q) && !wants_gradient(k) && !wants_gradient(v);
}

at::Tensor plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor mixed = at::scaled_dot_product_attention(q, k, v);
  return mixed.transpose(1, 2).reshape({q.size(0), q.size(2), q.size(1) * q.size(3)});
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  if (!cpu_takes(q, k, v)) {
    return plain_attention(q, k, v);
  }
  const auto [out, finite] = cpu::attend(q, k, v);
  if (finite) {
    return out;
  }
  const at::Tensor whole = at::isfinite(out).all(1, /*keepdim=*/true).all(2, true);
  return at::where(whole, out, plain_attention(q, k, v));  // other images of the batch keep theirs
}

}  // namespace leaf::ops
