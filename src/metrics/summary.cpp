#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/csv.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/segmentation.h"

namespace leaf::metrics {
namespace {

using Values = std::vector<double>;

/// The values of one metric, by its place in the table.
Values collect(const std::vector<ImageScore>& scores, std::size_t metric) {
  Values values;
  for (const ImageScore& score : scores) {
    values.push_back(score.values[metric]);
  }
  return values;
}

double mean(const Values& values) {
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return values.empty() ? 0.0 : sum / static_cast<double>(values.size());
}

double median(Values values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// The 2.5 % and 97.5 % percentiles of the mean over resampled images.
Interval confidence_interval(const Values& values, std::uint64_t seed) {
  constexpr std::size_t kResamples = 1000;
  RandomStream draw(seed, Purpose::kBootstrap);
  Values means(kResamples);
  for (double& resampled : means) {
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      sum += values[draw.below(values.size())];
    }
    resampled = sum / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  return {means[kResamples / 40], means[kResamples - 1 - kResamples / 40]};
}

nlohmann::ordered_json to_json(const Statistics& statistics) {
  return {{"mean", statistics.mean}, {"median", statistics.median}, {"std", statistics.std}};
}

nlohmann::ordered_json to_json(const std::optional<Interval>& interval) {
  nlohmann::ordered_json json;
  if (interval) {
    json = {interval->low, interval->high};
  }
  return json;
}

/// The headline metrics of the images that hold a target.
nlohmann::ordered_json with_target_json(const Summary& summary) {
  nlohmann::ordered_json json{{"count", summary.with_target}};
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    if (all_metrics()[i].headline) {
      json[all_metrics()[i].key] = summary.means_with_target[i];
    }
  }
  return json;
}

}  // namespace

Statistics statistics(const Values& values) {
  Statistics result{mean(values), median(values), 0.0};
  if (values.size() > 1) {
    double squares = 0;
    for (const double value : values) {
      squares += (value - result.mean) * (value - result.mean);
    }
    result.std = std::sqrt(squares / static_cast<double>(values.size() - 1));
  }
  return result;
}

Summary summarise(const std::vector<ImageScore>& scores, std::uint64_t seed) {
  if (scores.empty()) {
    throw DataError("there are no images to score; check data.split or the folders");
  }
  std::vector<ImageScore> with_target;
  Summary summary;
  for (const ImageScore& score : scores) {
    summary.both_empty += score.c.both_empty() ? 1 : 0;
    summary.one_sided_empty += score.c.one_sided_empty() ? 1 : 0;
    if (score.c.tp + score.c.fn > 0) {
      with_target.push_back(score);
    }
  }
  summary.count = static_cast<std::int64_t>(scores.size());
  summary.with_target = static_cast<std::int64_t>(with_target.size());
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    summary.values.push_back(statistics(collect(scores, i)));
    summary.means_with_target.push_back(mean(collect(with_target, i)));
  }
  if (scores.size() > 1) {
    summary.confidence = confidence_interval(collect(scores, 0), seed);
  }
  return summary;
}

std::string summary_json(const Summary& summary) {
  nlohmann::ordered_json json{{"count", summary.count}};
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    const std::string key = all_metrics()[i].key;
    json[key] = to_json(summary.values[i]);
    if (i == 0) {
      json[key + "_confidence_95"] = to_json(summary.confidence);
    }
  }
  json["both_empty"] = summary.both_empty;
  json["one_sided_empty"] = summary.one_sided_empty;
  json["with_target"] = with_target_json(summary);
  json["empty_convention"] =
      "prediction and truth both empty: every score 1; one of them empty: 0, but specificity as "
      "defined";
  return json.dump(2);
}

void write_scores_csv(const std::filesystem::path& path, const std::vector<ImageScore>& scores) {
  std::vector<std::string> header{"name"};
  for (const Metric& metric : all_metrics()) {
    header.emplace_back(metric.key);
  }
  header.insert(header.end(), {"tp", "fp", "fn", "tn", "both_empty", "one_sided_empty"});
  std::string content = csv_row(header);
  for (const auto& [name, c, values] : scores) {
    std::vector<std::string> row{name};
    for (const double value : values) {
      row.push_back(fixed(value, 6));
    }
    for (const std::int64_t count : {c.tp, c.fp, c.fn, c.tn}) {
      row.push_back(std::to_string(count));
    }
    row.insert(row.end(), {c.both_empty() ? "1" : "0", c.one_sided_empty() ? "1" : "0"});
    content += csv_row(row);
  }
  write_file(path, content);
}

}  // namespace leaf::metrics
