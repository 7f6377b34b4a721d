#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/csv.h"
#include "core/json.h"
#include "json.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/summary.h"
#include "samples.h"

namespace leaf::metrics {
namespace {

/// dice to specificity stand before the counts, where they always stood; what came later follows.
constexpr std::size_t kBeforeCounts = 5;

Json to_json(const Statistics& s) {
  return {{"mean", number_json(s.mean)},
          {"median", number_json(s.median)},
          {"std", number_json(s.std)},
          {"q1", number_json(s.q1)},
          {"q3", number_json(s.q3)},
          {"undefined", s.undefined},
          {"confidence_95", interval_json(s.interval)}};
}

/// The headline metrics of the images that hold a target.
Json with_target_json(const Summary& summary) {
  Json json{{"count", summary.with_target}};
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    if (all_metrics()[i].headline) {
      json[all_metrics()[i].key] = number_json(summary.means_with_target[i]);
    }
  }
  return json;
}

std::string convention_text(const Summary& summary) {
  const Convention& used = *summary.convention;
  const Convention& ours = all_conventions().front();
  const std::string own = str(ours.rule,
                              ", but in specificity and accuracy, which know the "
                              "background; distances to an empty mask are undefined: null, and "
                              "left out");
  return &used == &ours ? own : str("Dice and IoU: ", used.rule, ". All others: ", own);
}

/// Behind all others, a class's metrics: dice_disc, iou_disc, ...
void add_class_names(std::vector<std::string>& names, const ImageScore& score) {
  for (const ImageScore& each : score.classes) {
    for (const Metric& metric : all_metrics()) {
      if (is_shown(metric, score.groups)) {
        names.push_back(str(metric.key, "_", each.name));
      }
    }
  }
}

std::vector<std::string> header(const MetricGroups& groups) {
  std::vector<std::string> names{"name"};
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    if (i == kBeforeCounts) {
      names.insert(names.end(), {"tp", "fp", "fn", "tn", "both_empty", "one_sided_empty"});
    }
    if (is_shown(all_metrics()[i], groups)) {
      names.emplace_back(all_metrics()[i].key);
    }
  }
  return names;
}

void add_counts(std::vector<std::string>& row, const Confusion& c) {
  for (const std::int64_t count : {c.tp, c.fp, c.fn, c.tn}) {
    row.push_back(std::to_string(count));
  }
  row.insert(row.end(), {c.both_empty() ? "1" : "0", c.one_sided_empty() ? "1" : "0"});
}

void add_class_cells(std::vector<std::string>& row, const ImageScore& score) {
  for (const ImageScore& each : score.classes) {
    for (std::size_t i = 0; i < all_metrics().size(); ++i) {
      if (is_shown(all_metrics()[i], score.groups)) {
        row.push_back(cell(each.values[i], all_metrics()[i].decimals));
      }
    }
  }
}

/// Counts of objects are whole numbers, but not their means over classes.
int decimals_of(const Metric& metric, const ImageScore& score) {
  constexpr int kOfMeans = 6;
  return score.classes.empty() ? metric.decimals : kOfMeans;
}

std::vector<std::string> row_of(const ImageScore& score, const MetricGroups& groups) {
  std::vector<std::string> row{score.name};
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    if (i == kBeforeCounts) {
      add_counts(row, score.c);
    }
    const Metric& metric = all_metrics()[i];
    if (is_shown(metric, groups)) {
      row.push_back(cell(score.values[i], decimals_of(metric, score)));
    }
  }
  add_class_cells(row, score);
  return row;
}

}  // namespace

std::string summary_json(const Summary& summary) {
  Json json{{"count", summary.count}};
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    const Metric& metric = all_metrics()[i];
    if (is_shown(metric, summary.groups)) {
      json[metric.key] = to_json(summary.values[i]);
    }
    if (i == 0) {
      json[str(metric.key, "_confidence_95")] = interval_json(summary.values[i].interval);
    }
  }
  json["both_empty"] = summary.both_empty;
  json["one_sided_empty"] = summary.one_sided_empty;
  json["with_target"] = with_target_json(summary);
  json["convention"] = summary.convention->key;
  json["empty_convention"] = convention_text(summary);
  return json_text(json, 2);
}

void write_scores_csv(const std::filesystem::path& path, const std::vector<ImageScore>& scores) {
  const MetricGroups groups = scores.empty() ? MetricGroups{} : scores.front().groups;
  std::vector<std::string> names = header(groups);
  if (!scores.empty()) {
    add_class_names(names, scores.front());
  }
  std::string content = csv_row(names);
  for (const ImageScore& score : scores) {
    content += csv_row(row_of(score, groups));
  }
  write_file(path, content);
}

}  // namespace leaf::metrics
