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

at::Tensor with_dense_rows(const at::Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); }

/// Head number i of all images.
Rows rows_of(const at::Tensor& t, std::int64_t i) {
  const std::int64_t heads = t.size(1);
  return {.data = t.const_data_ptr<float>() + i / heads * t.stride(0) + i % heads * t.stride(1),
          .stride = t.stride(2),
          .count = t.size(2),
          .width = t.size(3)};
}

/// The values of all heads, [N*H][d][stride].
at::Tensor turned(const at::Tensor& values, std::int64_t stride) {
  const std::int64_t heads = values.size(0) * values.size(1);
  at::Tensor all = at::empty({heads, values.size(3), stride}, at::kFloat);
  share_work(heads, [&](WorkQueue& queue) {
    while (const auto head = queue.take()) {
      turn_rows(rows_of(values, *head), all.mutable_data_ptr<float>() + *head * all.stride(0),
                stride, values.size(2));
    }
  });
  return all;
}

}  // namespace

AttentionResult attend(const at::Tensor& queries_of, const at::Tensor& keys_of,
                       const at::Tensor& values_of) {
  const at::Tensor q = with_dense_rows(queries_of);
  const at::Tensor k = with_dense_rows(keys_of);
  const at::Tensor v = with_dense_rows(values_of);
  const std::int64_t heads = q.size(1);
  const std::int64_t width = q.size(3);
  const std::int64_t keys = k.size(2);
  const std::int64_t most = panel_width();  // queries at a time
  const std::int64_t blocks = divide_up(q.size(2), most);
  const OperatorRecord recorded(4 * q.numel() * keys, [&] {
    return leaf::str("attention of ", keys, " keys, ", heads, " heads of ", width);
  });
  const std::int64_t value_stride = spread_stride(keys);
  const at::Tensor values = turned(v, value_stride);
  at::Tensor out = at::empty({q.size(0), q.size(2), heads * width}, q.options());
  std::atomic<bool> finite = true;
  share_work(q.size(0) * heads * blocks, [&](WorkQueue& queue) {
    const at::Tensor scores = at::empty({keys * most}, at::kFloat);
    const at::Tensor products = at::empty({width * most}, at::kFloat);
    while (const auto i = queue.take()) {
      const std::int64_t head = *i / blocks;
      const std::int64_t first = *i % blocks * most;
      Rows queries = rows_of(q, head);
      queries.data += first * queries.stride;
      queries.count = std::min(most, queries.count - first);
      float* image = out.mutable_data_ptr<float>() + head / heads * out.stride(0);
      if (!attend_block({.queries = queries,
                         .keys = rows_of(k, head),
                         .turned_values = values.const_data_ptr<float>() + head * values.stride(0),
                         .value_stride = value_stride,
                         .scale = 1 / std::sqrt(static_cast<double>(width)),
                         .scores = scores.mutable_data_ptr<float>(),
                         .products = products.mutable_data_ptr<float>(),
                         .out = image + first * out.stride(1) + head % heads * width,
                         .out_stride = out.stride(1)})) {
        finite = false;
      }
    }
  });
  return {.out = out, .finite = finite};
}

}  // namespace leaf::ops::cpu
