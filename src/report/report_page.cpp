#include <torch/version.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "charts.h"
#include "leaf/core/device.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "page.h"
#include "picture.h"

namespace leaf::report {
namespace {

using metrics::all_metrics;
using metrics::ImageScore;
using metrics::is_defined;
using metrics::is_shown;

constexpr std::int64_t kPictureSide = 256;
constexpr std::size_t kMostRows = 5000;

std::string text_of(double value, int decimals = 4) {
  return is_defined(value) ? fixed(value, decimals) : "";
}

std::string interval_text(const metrics::Statistics& s) {
  return s.interval ? str(fixed(s.interval->low, 4), " to ", fixed(s.interval->high, 4)) : "";
}

Json summary_view(const std::string& title, const metrics::Summary& summary) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    if (is_shown(all_metrics()[i], summary.groups)) {
      const metrics::Statistics& s = summary.values[i];
      rows.push_back({{"metric", all_metrics()[i].title},
                      {"formula", all_metrics()[i].formula},
                      {"cells",
                       {text_of(s.mean), interval_text(s), text_of(s.median), text_of(s.std),
                        text_of(s.q1), text_of(s.q3), std::to_string(s.undefined)}}});
    }
  }
  return {{"title", title},
          {"images", summary.count},
          {"both_empty", summary.both_empty},
          {"one_sided_empty", summary.one_sided_empty},
          {"rule", summary.convention->rule},
          {"rows", rows}};
}

/// Of several classes their mean first, then each.
void add_summaries(const std::string& title, const metrics::Breakdown& breakdown, Json& summaries) {
  const bool several = !breakdown.classes.empty();
  summaries.push_back(
      summary_view(several ? str(title, ", means of the classes") : title, breakdown.summary));
  for (const metrics::ClassSummary& each : breakdown.classes) {
    summaries.push_back(summary_view(str(title, ", ", each.name), each.summary));
  }
}

/// The colours of several classes in the pictures.
Json legend_view(const std::vector<metrics::ClassSummary>& classes) {
  Json items = Json::array();
  for (std::size_t i = 0; i < classes.size(); ++i) {
    const data::ClassColour colour = data::class_colour(i + 1);
    items.push_back(
        {{"name", classes[i].name},
         {"colour", str("rgb(", colour[0] + 0, ",", colour[1] + 0, ",", colour[2] + 0, ")")}});
  }
  return items;
}

Json strata_view(const std::vector<metrics::StratumSummary>& strata) {
  Json rows = Json::array();
  for (const metrics::StratumSummary& row : strata) {
    const metrics::Statistics& dice = row.summary.of("dice");
    const metrics::Statistics& iou = row.summary.of("iou");
    rows.push_back({{"by", row.stratum.by},
                    {"level", row.stratum.level},
                    {"cells",
                     {std::to_string(row.summary.count), text_of(dice.mean), interval_text(dice),
                      text_of(iou.mean), interval_text(iou)}}});
  }
  return rows;
}

Json conventions_view(const std::vector<metrics::ConventionScores>& conventions) {
  Json rows = Json::array();
  for (const metrics::ConventionScores& row : conventions) {
    rows.push_back(
        {{"title", row.convention->title},
         {"rule", row.convention->rule},
         {"cells", {text_of(row.dice), text_of(row.iou), std::to_string(row.left_out)}}});
  }
  return rows;
}

std::vector<double> defined_values(const std::vector<ImageScore>& scores, std::size_t metric) {
  std::vector<double> values;
  for (const ImageScore& score : scores) {
    if (is_defined(score.values[metric])) {
      values.push_back(score.values[metric]);
    }
  }
  return values;
}

Json distributions(const std::vector<ImageScore>& scores, const metrics::MetricGroups& groups) {
  Json charts = Json::array();
  for (const char* key : {"dice", "iou", "hd95", "assd", "nsd", "relative_area_difference"}) {
    const std::size_t metric = metrics::metric_index(key);
    const std::vector<double> values = defined_values(scores, metric);
    if (is_shown(all_metrics()[metric], groups) && !values.empty()) {
      const bool unit = all_metrics()[metric].highest == 1;
      const auto [low, high] = unit ? std::pair(0.0, 1.0) : range_of(values);
      charts.push_back(histogram(str(all_metrics()[metric].title, ", images"), values, low, high));
    }
  }
  return charts;
}

/// Mean Dice by threshold, and how often probabilities come true.
Json probability_charts(const metrics::Curves& curves) {
  Json charts = Json::array();
  if (curves.thresholds.images() == 0) {
    return charts;
  }
  using Curve = metrics::ThresholdCurve;
  std::vector<std::pair<double, double>> dice;
  for (int i = 0; i < Curve::kCount; ++i) {
    dice.emplace_back(Curve::threshold(i), curves.thresholds.dice(i));
  }
  charts.push_back(
      curve(str("mean Dice by threshold; best at ", fixed(curves.thresholds.best(), 2)), dice));
  std::vector<std::pair<double, double>> reliability;
  for (const auto& bin : curves.calibration.bins) {
    if (bin.pixels > 0) {
      const auto pixels = static_cast<double>(bin.pixels);
      reliability.emplace_back(bin.probability / pixels, static_cast<double>(bin.targets) / pixels);
    }
  }
  charts.push_back(scatter(str("share of target pixels by probability; ECE of all pixels ",
                               fixed(curves.calibration.error(), 4)),
                           reliability, 0, 1));
  charts.back()["line"] = curve("", reliability)["line"];
  return charts;
}

Json case_view(const ImageScore& score, const Choice& choice, const LoadCase& load) {
  const Pictures pictures = make_pictures(load(choice.index), kPictureSide);
  std::vector<std::string> facts;
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    if (is_shown(all_metrics()[i], score.groups) && is_defined(score.values[i])) {
      facts.push_back(str(all_metrics()[i].title, " ",
                          fixed(score.values[i], std::min(all_metrics()[i].decimals, 4))));
    }
  }
  const auto picture = [](const char* title, const at::Tensor& pixels) {
    return Json{{"title", title}, {"source", data_uri(pixels)}};
  };
  return {{"id", str("case-", choice.index)},
          {"name", score.name},
          {"why", choice.why},
          {"dice", text_of(score.values.front())},
          {"facts", join(facts, " · ")},
          {"pictures",
           {picture("image", pictures.image), picture("truth", pictures.truth),
            picture("prediction", pictures.prediction),
            picture("green both, red too much, blue missed", pictures.errors)}}};
}

Json cases_view(const std::vector<ImageScore>& scores, const std::vector<Choice>& choices,
                const LoadCase& load) {
  Json cases = Json::array();
  for (const Choice& choice : choices) {
    cases.push_back(case_view(scores[choice.index], choice, load));
  }
  return cases;
}

/// "empty" words to filter the table by.
std::string state_of(const metrics::Confusion& c) {
  if (c.nothing_scored()) {
    return "all ignored";
  }
  if (c.both_empty()) {
    return "both empty";
  }
  return c.one_sided_empty() ? "one empty" : "";
}

Json row_view(const ImageScore& score, std::size_t index, bool has_case) {
  Json cells = Json::array();
  for (std::size_t i = 0; i < all_metrics().size(); ++i) {
    if (is_shown(all_metrics()[i], score.groups)) {
      cells.push_back(text_of(score.values[i], std::min(all_metrics()[i].decimals, 4)));
    }
  }
  return {{"name", score.name},
          {"case", has_case ? Json(str("case-", index)) : Json(false)},
          {"state", state_of(score.c)},
          {"target", std::to_string(score.c.tp + score.c.fn)},
          {"cells", cells}};
}

Json columns_view(const metrics::MetricGroups& groups) {
  Json columns = Json::array();
  for (const metrics::Metric& metric : all_metrics()) {
    if (is_shown(metric, groups)) {
      columns.push_back({{"title", metric.title}, {"formula", metric.formula}});
    }
  }
  return columns;
}

/// Places of the images in the order of the file; where there are too many, the lowest Dice.
std::vector<std::size_t> rows_shown(const std::vector<ImageScore>& scores) {
  std::vector<std::size_t> rows(scores.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  if (rows.size() > kMostRows) {
    std::stable_sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) {
      const double x = scores[a].values.front();
      const double y = scores[b].values.front();
      const bool has_x = metrics::is_defined(x);
      return has_x != metrics::is_defined(y) ? has_x : has_x && x < y;  // those without one last
    });
    rows.resize(kMostRows);
  }
  return rows;
}

Json rows_view(const std::vector<ImageScore>& scores, const std::vector<Choice>& choices) {
  std::map<std::size_t, bool> chosen;
  for (const Choice& choice : choices) {
    chosen[choice.index] = true;
  }
  Json rows = Json::array();
  for (const std::size_t index : rows_shown(scores)) {
    rows.push_back(row_view(scores[index], index, chosen.contains(index)));
  }
  return rows;
}

Json facts_view(const EvaluationFacts& facts) {
  Json rows = Json::array();
  for (const auto& [name, value] : facts) {
    if (!value.empty()) {
      rows.push_back({{"name", name}, {"value", value}});
    }
  }
  rows.push_back({{"name", "leaf"}, {"value", version()}});
  rows.push_back({{"name", "LibTorch"}, {"value", TORCH_VERSION}});
  return rows;
}

Json sections() {
  return {{{"id", "summary"}, {"title", "Summary"}},
          {{"id", "distributions"}, {"title", "Distributions"}},
          {{"id", "cases"}, {"title", "Cases"}},
          {{"id", "images"}, {"title", "Images"}},
          {{"id", "how"}, {"title", "How it was scored"}}};
}

}  // namespace

void write_report(const std::filesystem::path& path, const Report& report) {
  const std::vector<ImageScore>& scores = report.evaluation->scores;
  const metrics::Breakdown& breakdown = report.summary->scores;
  const std::vector<Choice> choices = choose_cases(scores);
  Json summaries = Json::array();
  add_summaries(report.title, breakdown, summaries);
  if (report.summary->native) {
    add_summaries("at the images' own sizes", *report.summary->native, summaries);
  }
  const Json charts = probability_charts(report.evaluation->curves);
  const Json strata = strata_view(breakdown.strata);
  const Json conventions = conventions_view(breakdown.conventions);
  const Json rows = rows_view(scores, choices);
  const bool cut = rows.size() < scores.size();
  write_file(path, fill_page("report.html",
                             {{"title", report.title},
                              {"nav", sections()},
                              {"summaries", summaries},
                              {"has_strata", !strata.empty()},
                              {"strata", strata},
                              {"has_conventions", !conventions.empty()},
                              {"conventions", conventions},
                              {"distributions", distributions(scores, breakdown.summary.groups)},
                              {"has_probabilities", !charts.empty()},
                              {"probabilities", charts},
                              {"legend", legend_view(breakdown.classes)},
                              {"cases", cases_view(scores, choices, report.load_case)},
                              {"columns", columns_view(breakdown.summary.groups)},
                              {"rows", rows},
                              {"shown", rows.size()},
                              {"cut", cut ? Json(std::to_string(scores.size())) : Json(false)},
                              {"facts", facts_view(report.summary->facts)}}));
}

}  // namespace leaf::report
