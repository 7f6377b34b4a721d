#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "leaf/core/csv.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/segmentation.h"

namespace leaf::metrics {
namespace {

using Values = std::vector<double>;

Values collect(const std::vector<ImageScore>& scores, double ImageScore::*field) {
  Values values;
  for (const ImageScore& score : scores) {
    values.push_back(score.*field);
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

}  // namespace

Summary summarise(const std::vector<ImageScore>& scores, std::uint64_t seed) {
  if (scores.empty()) {
    throw DataError("there are no images to score; check data.split or the folders");
  }
  std::vector<ImageScore> with_target;
  Summary summary;
  for (const ImageScore& score : scores) {
    summary.both_empty += score.both_empty ? 1 : 0;
    summary.one_sided_empty += score.one_sided_empty ? 1 : 0;
    if (score.c.tp + score.c.fn > 0) {
      with_target.push_back(score);
    }
  }
  summary.count = static_cast<std::int64_t>(scores.size());
  summary.with_target = static_cast<std::int64_t>(with_target.size());
  summary.dice_with_target = mean(collect(with_target, &ImageScore::dice));
  summary.iou_with_target = mean(collect(with_target, &ImageScore::iou));
  const Values dice_values = collect(scores, &ImageScore::dice);
  summary.dice = statistics(dice_values);
  summary.iou = statistics(collect(scores, &ImageScore::iou));
  summary.precision = statistics(collect(scores, &ImageScore::precision));
  summary.recall = statistics(collect(scores, &ImageScore::recall));
  if (dice_values.size() > 1) {
    summary.dice_confidence = confidence_interval(dice_values, seed);
  }
  return summary;
}

std::string summary_json(const Summary& summary) {
  const nlohmann::ordered_json json = {
      {"count", summary.count},
      {"dice", to_json(summary.dice)},
      {"dice_confidence_95", to_json(summary.dice_confidence)},
      {"iou", to_json(summary.iou)},
      {"precision", to_json(summary.precision)},
      {"recall", to_json(summary.recall)},
      {"both_empty", summary.both_empty},
      {"one_sided_empty", summary.one_sided_empty},
      {"with_target",
       {{"count", summary.with_target},
        {"dice", summary.dice_with_target},
        {"iou", summary.iou_with_target}}},
      {"empty_convention", "prediction and truth both empty: every score 1; one of them empty: 0"},
  };
  return json.dump(2);
}

void write_scores_csv(const std::filesystem::path& path, const std::vector<ImageScore>& scores) {
  std::string content = csv_row({"name", "dice", "iou", "precision", "recall", "tp", "fp", "fn",
                                 "tn", "both_empty", "one_sided_empty"});
  for (const ImageScore& score : scores) {
    content +=
        csv_row({score.name, fixed(score.dice, 6), fixed(score.iou, 6), fixed(score.precision, 6),
                 fixed(score.recall, 6), std::to_string(score.c.tp), std::to_string(score.c.fp),
                 std::to_string(score.c.fn), std::to_string(score.c.tn),
                 score.both_empty ? "1" : "0", score.one_sided_empty ? "1" : "0"});
  }
  write_file(path, content);
}

}  // namespace leaf::metrics
