#include "attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>

#include "attention_kernels.h"
#include "conv_kernels.h"
#include "leaf/core/strings.h"
#include "ops/operator_record.h"
#include "work_queue.h"

namespace leaf::ops::cpu {
namespace {

std::int64_t whole_panels(std::int64_t count) {
  return divide_up(count, panel_width()) * panel_width();
}

at::Tensor with_dense_rows(const at::Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); }

/// Head number i of all images.
Rows rows_of(const at::Tensor& t, std::int64_t i) {
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
    share_work(keys.size(0), [&](WorkQueue& heads) {
      while (const auto head = heads.take()) {
        pack_turned(rows_of(k, *head), keys.mutable_data_ptr<float>() + *head * keys.size(1));
        pack_columns(rows_of(v, *head), values.mutable_data_ptr<float>() + *head * values.size(1));
      }
    });
  }

  at::Tensor keys;
  at::Tensor values;
};

}  // namespace

AttentionResult attend(const at::Tensor& queries_of, const at::Tensor& keys_of,
                       const at::Tensor& values_of) {
  const at::Tensor q = with_dense_rows(queries_of);
  const at::Tensor k = with_dense_rows(keys_of);
  const at::Tensor v = with_dense_rows(values_of);
  const std::int64_t heads = q.size(1);
  const std::int64_t width = q.size(3);
  const std::int64_t keys = k.size(2);
  const std::int64_t blocks = divide_up(q.size(2), kMostQueries);
  const OperatorRecord recorded(4 * q.numel() * keys, [&] {
    return leaf::str("attention of ", keys, " keys, ", heads, " heads of ", width);
  });
  const PackedHeads packed(k, v);
  at::Tensor out = at::empty({q.size(0), q.size(2), heads * width}, q.options());
  std::atomic<bool> finite = true;
  share_work(q.size(0) * heads * blocks, [&](WorkQueue& queue) {
    const std::int64_t padded = whole_panels(keys);
    const at::Tensor scores = at::empty({kMostQueries * padded}, at::kFloat);
    const at::Tensor shares = at::empty({kMostQueries * spread_stride(padded)}, at::kFloat);
    while (const auto i = queue.take()) {
      const std::int64_t head = *i / blocks;
      const std::int64_t first = *i % blocks * kMostQueries;
      Rows queries = rows_of(q, head);
      queries.data += first * queries.stride;
      queries.count = std::min(kMostQueries, queries.count - first);
      float* image = out.mutable_data_ptr<float>() + head / heads * out.stride(0);
      if (!attend_block(
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

}  // namespace leaf::ops::cpu
