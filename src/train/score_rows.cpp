#include "score_rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>

namespace leaf {
namespace {

constexpr std::int64_t kCounts = 4;  // in a row, before the metrics' values

}  // namespace

at::Tensor to_rows(const std::vector<metrics::ImageScore>& scores) {
  const auto values = static_cast<std::int64_t>(metrics::all_metrics().size());
  const at::Tensor rows =
      at::empty({static_cast<std::int64_t>(scores.size()), kCounts + values}, at::kDouble);
  auto* next = rows.mutable_data_ptr<double>();
  for (const metrics::ImageScore& score : scores) {
    for (const std::int64_t count : {score.c.tp, score.c.fp, score.c.fn, score.c.tn}) {
      *next++ = static_cast<double>(count);
    }
    next = std::copy(score.values.begin(), score.values.end(), next);
  }
  return rows;
}

std::vector<metrics::ImageScore> from_rows(const at::Tensor& rows) {
  std::vector<metrics::ImageScore> scores;
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const at::Tensor numbers = rows[i].contiguous();
    const auto* row = numbers.const_data_ptr<double>();
    const auto count = [&](std::int64_t k) { return static_cast<std::int64_t>(row[k]); };
    metrics::ImageScore& score = scores.emplace_back();
    score.c = {.tp = count(0), .fp = count(1), .fn = count(2), .tn = count(3)};
    score.values.assign(row + kCounts, row + rows.size(1));
  }
  return scores;
}

}  // namespace leaf
