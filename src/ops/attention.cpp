#include "leaf/ops/attention.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "attention_kernels.h"
#include "conv_kernels.h"
#include "leaf/core/strings.h"
#include "operator_record.h"
#include "work_queue.h"

namespace leaf::ops {
namespace {

constexpr std::int64_t kMinKeys = 64;  // fewer are too little work to lay them out for

bool usable(const at::Tensor& t) {
  return t.dim() == 4 && t.numel() > 0 && t.device().is_cpu() && t.scalar_type() == at::kFloat &&
         !(at::GradMode::is_enabled() && t.requires_grad());
}

/// Wrong arguments are left to LibTorch, which explains them.
bool on_fast_path(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  return usable(q) && usable(k) && usable(v) && k.sizes() == v.sizes() && q.size(0) == k.size(0) &&
         q.size(1) == k.size(1) && q.size(3) == k.size(3) && k.size(2) >= kMinKeys &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

std::int64_t whole_panels(std::int64_t count) {
  return cpu::divide_up(count, cpu::panel_width()) * cpu::panel_width();
}

at::Tensor with_dense_rows(const at::Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); }

/// Head number i of all images.
cpu::Rows rows_of(const at::Tensor& t, std::int64_t i) {
  const std::int64_t heads = t.size(1);
  return {.data = t.const_data_ptr<float>() + i / heads * t.stride(0) + i % heads * t.stride(1),
          .stride = t.stride(2),
          .count = t.size(2),
          .width = t.size(3)};
}

/// Keys and values of all heads, laid out for the products.
struct PackedHeads {
  PackedHeads(const at::Tensor& k, const at::Tensor& v)
      : keys(at::empty({k.size(0) * k.size(1), whole_panels(k.size(2)) * k.size(3)}, at::kFloat)),
        values(
            at::empty({k.size(0) * k.size(1), k.size(2) * whole_panels(k.size(3))}, at::kFloat)) {
    cpu::share_work(keys.size(0), [&](cpu::WorkQueue& heads) {
      while (const auto head = heads.take()) {
        cpu::pack_turned(rows_of(k, *head), keys.mutable_data_ptr<float>() + *head * keys.size(1));
        cpu::pack_columns(rows_of(v, *head),
                          values.mutable_data_ptr<float>() + *head * values.size(1));
      }
    });
  }

  at::Tensor keys;
  at::Tensor values;
};

struct Attended {
  at::Tensor out;
  bool finite;
};

Attended attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const std::int64_t heads = q.size(1);
  const std::int64_t width = q.size(3);
  const std::int64_t keys = k.size(2);
  const std::int64_t blocks = cpu::divide_up(q.size(2), cpu::kMostQueries);
  const OperatorRecord recorded(4 * q.numel() * keys, [&] {
    return leaf::str("attention of ", keys, " keys, ", heads, " heads of ", width);
  });
  const PackedHeads packed(k, v);
  at::Tensor out = at::empty({q.size(0), q.size(2), heads * width}, q.options());
  std::atomic<bool> finite = true;
  cpu::share_work(q.size(0) * heads * blocks, [&](cpu::WorkQueue& queue) {
    const std::int64_t padded = whole_panels(keys);
    const at::Tensor scores = at::empty({cpu::kMostQueries * padded}, at::kFloat);
    const at::Tensor shares =
        at::empty({cpu::kMostQueries * cpu::spread_stride(padded)}, at::kFloat);
    while (const auto i = queue.take()) {
      const std::int64_t head = *i / blocks;
      const std::int64_t first = *i % blocks * cpu::kMostQueries;
      cpu::Rows queries = rows_of(q, head);
      queries.data += first * queries.stride;
      queries.count = std::min(cpu::kMostQueries, queries.count - first);
      float* image = out.mutable_data_ptr<float>() + head / heads * out.stride(0);
      if (!cpu::attend_block(
              {.queries = queries,
               .keys = keys,
               .packed_keys = packed.keys.const_data_ptr<float>() + head * packed.keys.size(1),
               .packed_values =
                   packed.values.const_data_ptr<float>() + head * packed.values.size(1),
               .scale = 1 / std::sqrt(static_cast<double>(width)),
               .scores = scores.mutable_data_ptr<float>(),
               .shares = shares.mutable_data_ptr<float>(),
               .out = image + first * out.stride(1) + head % heads * width,
               .out_stride = out.stride(1)})) {
        finite = false;
      }
    }
  });
  return {.out = out, .finite = finite};
}

at::Tensor plain_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const at::Tensor mixed = at::scaled_dot_product_attention(q, k, v);
  return mixed.transpose(1, 2).reshape({q.size(0), q.size(2), q.size(1) * q.size(3)});
}

}  // namespace

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  if (!on_fast_path(q, k, v)) {
    return plain_attention(q, k, v);
  }
  const auto [out, finite] = attend(with_dense_rows(q), with_dense_rows(k), with_dense_rows(v));
  if (finite) {
    return out;
  }
  const at::Tensor whole = at::isfinite(out).all(1, /*keepdim=*/true).all(2, true);
  return at::where(whole, out, plain_attention(q, k, v));  // other images of the batch keep theirs
}

}  // namespace leaf::ops
