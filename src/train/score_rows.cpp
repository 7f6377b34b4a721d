#include "score_rows.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace leaf {
namespace {

constexpr std::int64_t kCounts = 4;  // in a score's part of a row, before the metrics' values

std::int64_t part_length() {
  return kCounts + static_cast<std::int64_t>(metrics::all_metrics().size());
}

/// Writes counts and values; returns where the next part goes.
double* write_part(const metrics::ImageScore& score, double* next) {
  for (const std::int64_t count : {score.c.tp, score.c.fp, score.c.fn, score.c.tn}) {
    *next++ = static_cast<double>(count);
  }
  return std::copy(score.values.begin(), score.values.end(), next);
}

metrics::ImageScore read_part(const double* part) {
  const auto count = [&](std::int64_t k) { return static_cast<std::int64_t>(part[k]); };
  metrics::ImageScore score;
  score.c = {.tp = count(0), .fp = count(1), .fn = count(2), .tn = count(3)};
  score.values.assign(part + kCounts, part + part_length());
  return score;
}

}  // namespace

at::Tensor to_rows(const std::vector<metrics::ImageScore>& scores, std::size_t classes) {
  const auto parts = static_cast<std::int64_t>(1 + classes);
  const at::Tensor rows =
      at::empty({static_cast<std::int64_t>(scores.size()), parts * part_length()}, at::kDouble);
  auto* next = rows.mutable_data_ptr<double>();
  for (const metrics::ImageScore& score : scores) {
    next = write_part(score, next);
    for (std::size_t i = 0; i < classes; ++i) {
      next = write_part(score.classes.at(i), next);
    }
  }
  return rows;
}

std::vector<metrics::ImageScore> from_rows(const at::Tensor& rows) {
  std::vector<metrics::ImageScore> scores;
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const at::Tensor numbers = rows[i].contiguous();
    const auto* row = numbers.const_data_ptr<double>();
    metrics::ImageScore score = read_part(row);
    for (std::int64_t at = part_length(); at < rows.size(1); at += part_length()) {
      score.classes.push_back(read_part(row + at));
    }
    scores.push_back(std::move(score));
  }
  return scores;
}

}  // namespace leaf
