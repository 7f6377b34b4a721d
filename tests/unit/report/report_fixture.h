#pragma once

#include <ATen/ATen.h>

#include <string>

#include "leaf/core/strings.h"
#include "leaf/report/report.h"

namespace leaf::test {

/// An evaluation of `count` small masks: of every third nothing is found, the last has no target;
/// the first one's name is an attack.
struct ReportFixture {
  static constexpr const char* kHostileName = "<script>alert(1)</script>&\"'{{title}}";

  explicit ReportFixture(int count) {
    metrics::ScoreOptions options;
    options.groups = {metrics::MetricGroup::kBoundary, metrics::MetricGroup::kObjects,
                      metrics::MetricGroup::kProbability};
    for (int i = 0; i < count; ++i) {
      const report::Case one = make_case(i, count);
      const at::Tensor probability = one.prediction.to(at::kFloat) * 0.8 + 0.1;
      const std::string name = i == 0 ? kHostileName : str("image-", i);
      evaluation.scores.push_back(
          metrics::score_image(name, one.prediction, one.truth, options, probability));
      evaluation.curves.add(probability, one.truth);
    }
    metrics::BreakdownOptions breakdown;
    breakdown.conventions = true;
    breakdown.by_size = "terciles";
    summary = {{{"model", "runs/a & b"}, {"threshold", "0.5"}},
               metrics::break_down(evaluation.scores, breakdown),
               std::nullopt,
               {}};
    page = {"Phantoms <of> a test", "prediction", &evaluation, &summary,
            [count](std::size_t i) { return make_case(static_cast<int>(i), count); }};
  }
  ReportFixture(const ReportFixture&) = delete;
  ReportFixture& operator=(const ReportFixture&) = delete;

  /// The same scores twice, as those of two classes; cases are label maps of both.
  void make_classes() {
    for (metrics::ImageScore& score : evaluation.scores) {
      std::vector<metrics::ImageScore> classes(2, score);
      classes[0].name = "disc";
      classes[1].name = "cup";
      score = metrics::mean_over_classes(score.name, classes);
    }
    summary.scores = metrics::break_down(evaluation.scores, {});
    page.load_case = [plain = page.load_case](std::size_t i) {
      report::Case one = plain(i);
      one.truth.narrow(0, 20, 10).mul_(2);
      one.prediction.narrow(0, 22, 10).mul_(2);
      one.classes = 3;
      return one;
    };
  }

  static report::Case make_case(int i, int count) {
    at::Tensor truth = at::zeros({48, 64}, at::kByte);
    at::Tensor prediction = truth.clone();
    if (i + 1 < count) {
      truth.narrow(0, 10, 20).narrow(1, 10, 5 + i % 40).fill_(1);
    }
    if (i % 3 != 1) {
      prediction.narrow(0, 12, 20).narrow(1, 8, 5 + i % 37).fill_(1);
    }
    const at::Tensor image = at::full({48, 64, 3}, 40 + i % 100, at::kByte);
    return {image, truth, prediction};
  }

  Evaluation evaluation;
  EvaluationSummary summary;
  report::Report page;
};

}  // namespace leaf::test
