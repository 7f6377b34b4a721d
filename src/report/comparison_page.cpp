#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "charts.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/report/report.h"
#include "page.h"

namespace leaf::report {
namespace {

using metrics::Comparison;
using metrics::is_defined;
using metrics::PairComparison;
using metrics::ScoreTable;

constexpr std::size_t kMostRows = 5000;

std::string text_of(double value) { return is_defined(value) ? fixed(value, 4) : ""; }

std::string p_text(double p) { return p < 0.0001 ? "< 0.0001" : fixed(p, 4); }

/// By its place in the list above the table; whole paths would be too wide.
std::string run_name(std::size_t run) { return str("run ", run + 1); }

/// An image's score in each run; kUndefined where a run lacks it.
using Scores = std::map<std::string, std::vector<double>>;

Scores scores_of(const std::vector<ScoreTable>& runs, const std::string& column) {
  Scores scores;
  for (std::size_t run = 0; run < runs.size(); ++run) {
    const auto& columns = runs[run].columns;
    const auto place = std::find(columns.begin(), columns.end(), column) - columns.begin();
    for (std::size_t row = 0; row < runs[run].names.size(); ++row) {
      std::vector<double>& values = scores[runs[run].names[row]];
      values.resize(runs.size(), metrics::kUndefined);
      values[run] = runs[run].rows[row][static_cast<std::size_t>(place)];
    }
  }
  return scores;
}

Json pair_view(const PairComparison& pair) {
  const std::string interval =
      pair.interval ? str(fixed(pair.interval->low, 4), " to ", fixed(pair.interval->high, 4)) : "";
  Json deciding = Json::array();
  for (const metrics::Difference& difference : pair.deciding) {
    deciding.push_back({{"image", difference.image}, {"value", text_of(difference.value)}});
  }
  return {{"column", pair.column},
          {"a", run_name(pair.a)},
          {"b", run_name(pair.b)},
          {"images", pair.images},
          {"to_turn", pair.images_to_turn},
          {"deciding", deciding},
          {"cells",
           {text_of(pair.mean_a), text_of(pair.mean_b), text_of(pair.difference), interval,
            p_text(pair.test.p), p_text(pair.p_holm),
            str(pair.wins_b, " / ", pair.wins_a, " / ", pair.ties)}}};
}

/// Both runs against each other, and the differences.
Json pair_charts(const PairComparison& pair, const Scores& scores) {
  std::vector<std::pair<double, double>> points;
  std::vector<double> differences;
  std::vector<double> all{1};
  for (const auto& [name, values] : scores) {
    const double a = values[pair.a];
    const double b = values[pair.b];
    if (is_defined(a) && is_defined(b)) {
      points.emplace_back(a, b);
      differences.push_back(b - a);
      all.insert(all.end(), {a, b});
    }
  }
  points.resize(std::min(points.size(), kMostRows));
  const double high = *std::max_element(all.begin(), all.end());
  const double lowest = std::min(0.0, *std::min_element(all.begin(), all.end()));
  const auto [low, widest] = range_of(differences);
  const double reach = std::max(-low, widest);
  return {scatter(str(pair.column, ": second run over first"), points, lowest, high),
          histogram(str(pair.column, ": second minus first, images"), differences, -reach, reach)};
}

Json rows_view(const Scores& scores) {
  Json rows = Json::array();
  for (const auto& [name, values] : scores) {
    Json cells = Json::array();
    for (const double value : values) {
      cells.push_back(text_of(value));
    }
    cells.push_back(text_of(values.back() - values.front()));
    rows.push_back({{"name", name}, {"cells", cells}});
    if (rows.size() == kMostRows) {
      break;
    }
  }
  return rows;
}

Json sections() {
  return {{{"id", "tests"}, {"title", "Tests"}},
          {{"id", "charts"}, {"title", "Differences"}},
          {{"id", "deciding"}, {"title", "Deciding images"}},
          {{"id", "images"}, {"title", "Images"}}};
}

}  // namespace

void write_comparison_report(const std::filesystem::path& path, const Comparison& comparison,
                             const std::vector<ScoreTable>& runs) {
  const std::string first = comparison.pairs.front().column;
  Json pairs = Json::array();
  Json charts = Json::array();
  for (const PairComparison& pair : comparison.pairs) {
    pairs.push_back(pair_view(pair));
    for (const Json& chart : pair_charts(pair, scores_of(runs, pair.column))) {
      charts.push_back(chart);
    }
  }
  const Json rows = rows_view(scores_of(runs, first));
  Json names = Json::array();
  for (std::size_t run = 0; run < runs.size(); ++run) {
    names.push_back(run_name(run));
  }
  write_file(path, fill_page("comparison.html", {{"title", "Comparison of runs"},
                                                 {"nav", sections()},
                                                 {"images", comparison.images},
                                                 {"left_out", comparison.left_out},
                                                 {"tests", comparison.pairs.size()},
                                                 {"runs", comparison.runs},
                                                 {"run_names", names},
                                                 {"column", first},
                                                 {"pairs", pairs},
                                                 {"charts", charts},
                                                 {"shown", rows.size()},
                                                 {"rows", rows}}));
}

}  // namespace leaf::report
