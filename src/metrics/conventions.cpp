#include "leaf/metrics/conventions.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "samples.h"

namespace leaf::metrics {
namespace {

struct Ratio {
  double part;
  double whole;
};

Ratio dice_ratio(const Confusion& c) {
  return {static_cast<double>(2 * c.tp), static_cast<double>(2 * c.tp + c.fp + c.fn)};
}

Ratio iou_ratio(const Confusion& c) {
  return {static_cast<double>(c.tp), static_cast<double>(c.tp + c.fp + c.fn)};
}

/// The ratio, or `empty` where both masks are empty.
double or_empty(const Ratio& ratio, double empty) {
  return ratio.whole == 0 ? empty : ratio.part / ratio.whole;
}

double smooth(const Ratio& ratio, double epsilon) {
  return (ratio.part + epsilon) / (ratio.whole + epsilon);
}

/// MONAI leaves out images whose truth is empty, whatever was predicted there.
double if_target(const Confusion& c, const Ratio& ratio) {
  return c.tp + c.fn == 0 ? kUndefined : or_empty(ratio, kUndefined);
}

/// A prediction where there is no target is a full score, no prediction is none.
double sdseg_dice(const Confusion& c) {
  const bool false_alarm = c.tp + c.fn == 0 && c.fp > 0;
  return false_alarm ? 1 : or_empty(dice_ratio(c), 0);
}

/// Of several classes the mean over those that have a score.
double score_by(double (*score)(const Confusion&), const ImageScore& image) {
  const auto score_of = [&](const Confusion& c) {
    return c.nothing_scored() ? kUndefined : score(c);
  };
  if (image.classes.empty()) {
    return score_of(image.c);
  }
  std::vector<double> values;
  for (const ImageScore& each : image.classes) {
    values.push_back(score_of(each.c));
  }
  return mean_of_defined(values);
}

}  // namespace

const std::vector<Convention>& all_conventions() {
  using C = const Confusion&;
  static const std::vector<Convention> table{
      {.key = "leaf",
       .title = "leaf",
       .rule = "prediction and truth both empty: every score of the target 1; one of them empty: 0",
       .dice = [](C c) { return or_empty(dice_ratio(c), 1); },
       .iou = [](C c) { return or_empty(iou_ratio(c), 1); }},
      {.key = "nnunet",
       .title = "nnU-Net v2",
       .rule = "both empty: left out of the mean; one of them empty: 0; several classes: the mean "
               "over images first",
       .dice = [](C c) { return or_empty(dice_ratio(c), kUndefined); },
       .iou = [](C c) { return or_empty(iou_ratio(c), kUndefined); },
       .classes_last = true},
      {.key = "monai",
       .title = "MONAI",
       .rule =
           "truth empty: left out of the mean, whatever was predicted; prediction alone empty: 0",
       .dice = [](C c) { return if_target(c, dice_ratio(c)); },
       .iou = [](C c) { return if_target(c, iou_ratio(c)); }},
      {.key = "medsegdiff",
       .title = "MedSegDiff",
       .rule = "smoothed: Dice by 1e-4, IoU by 1e-6; both empty: 1; one of them empty: nearly 0",
       .dice = [](C c) { return smooth(dice_ratio(c), 1e-4); },
       .iou = [](C c) { return smooth(iou_ratio(c), 1e-6); }},
      {.key = "sdseg",
       .title = "SDSeg",
       .rule = "truth alone empty: Dice 1, IoU 0; both empty or prediction alone empty: 0",
       .dice = sdseg_dice,
       .iou = [](C c) { return or_empty(iou_ratio(c), 0); }},
      {.key = "torchmetrics",
       .title = "torchmetrics (published LEAF)",
       .rule = "both empty or one of them empty: 0; the mean IoU is one over batches of 64",
       .dice = [](C c) { return or_empty(dice_ratio(c), 0); },
       .iou = [](C c) { return or_empty(iou_ratio(c), 0); },
       .iou_batch = 64},
  };
  return table;
}

const Convention& find_convention(std::string_view key) {
  std::vector<std::string> keys;
  for (const Convention& convention : all_conventions()) {
    if (convention.key == key) {
      return convention;
    }
    keys.emplace_back(convention.key);
  }
  throw ConfigError(str("there is no convention '", key, "'", did_you_mean(key, keys),
                        "; known: ", join(keys, ", ")));
}

void apply_convention(const Convention& convention, std::vector<ImageScore>& scores) {
  const std::size_t dice = metric_index("dice");
  const std::size_t iou = metric_index("iou");
  for (ImageScore& score : scores) {
    apply_convention(convention, score.classes);
    score.values[dice] = score_by(convention.dice, score);
    score.values[iou] = score_by(convention.iou, score);
  }
}

bool averages_classes_last(const Convention& convention, const std::vector<ImageScore>& scores) {
  return convention.classes_last && !scores.empty() && !scores.front().classes.empty();
}

double mean_iou(const Convention& convention, const std::vector<double>& values) {
  const auto batch = static_cast<std::size_t>(convention.iou_batch);
  if (batch == 0) {
    return mean_of_defined(values);
  }
  std::vector<double> means;
  for (std::size_t first = 0; first < values.size(); first += batch) {
    const std::size_t last = std::min(first + batch, values.size());
    means.push_back(mean_of_defined({&values[first], values.data() + last}));
  }
  return mean_of_defined(means);
}

double mean_of_classes(const std::vector<ImageScore>& scores, std::size_t metric) {
  std::vector<double> means;
  for (std::size_t k = 0; k < scores.front().classes.size(); ++k) {
    means.push_back(mean_of_defined(values_of(scores_of_class(scores, k), metric)));
  }
  return mean_of_defined(means);
}

std::vector<ConventionScores> compare_conventions(const std::vector<ImageScore>& scores) {
  const std::size_t dice = metric_index("dice");
  const std::size_t iou = metric_index("iou");
  std::vector<ConventionScores> rows;
  for (const Convention& convention : all_conventions()) {
    std::vector<ImageScore> converted = scores;
    apply_convention(convention, converted);
    const std::vector<double> values = values_of(converted, dice);
    ConventionScores row{&convention};
    row.dice = mean_of_defined(values);
    row.iou = mean_iou(convention, values_of(converted, iou));
    if (averages_classes_last(convention, converted)) {
      row.dice = mean_of_classes(converted, dice);
      row.iou = mean_of_classes(converted, iou);
    }
    row.left_out =
        std::count_if(values.begin(), values.end(), [](double v) { return !is_defined(v); });
    rows.push_back(row);
  }
  return rows;
}

std::string conventions_text(const std::vector<ConventionScores>& rows) {
  constexpr int kName = 32;
  std::ostringstream out;
  out << "the same images under the conventions of other tools\n"
      << "  " << std::left << std::setw(kName) << ""
      << "    Dice     IoU   left out\n";
  for (const ConventionScores& row : rows) {
    const auto cell = [](double value) { return is_defined(value) ? fixed(value, 4) : "-"; };
    out << "  " << std::left << std::setw(kName) << row.convention->title << std::right
        << std::setw(8) << cell(row.dice) << std::setw(8) << cell(row.iou) << std::setw(11)
        << row.left_out << "   " << row.convention->rule << '\n';
  }
  return out.str();
}

}  // namespace leaf::metrics
