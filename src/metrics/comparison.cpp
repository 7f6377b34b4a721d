#include "leaf/metrics/comparison.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "bootstrap.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/strata.h"
#include "samples.h"

namespace leaf::metrics {
namespace {

/// The images that all runs have, in the order of the first, and where each run has them.
struct Common {
  std::vector<std::string> names;
  std::vector<std::vector<std::size_t>> rows;  ///< by run, then image
  std::int64_t left_out = 0;
};

Common common_images(const std::vector<ScoreTable>& runs) {
  std::map<std::string, std::vector<std::size_t>> places;
  for (const ScoreTable& run : runs) {
    for (std::size_t row = 0; row < run.names.size(); ++row) {
      places[run.names[row]].push_back(row);
    }
  }
  Common common;
  common.rows.resize(runs.size());
  for (const std::string& name : runs.front().names) {
    const std::vector<std::size_t>& rows = places[name];
    if (rows.size() == runs.size()) {
      common.names.push_back(name);
      for (std::size_t run = 0; run < runs.size(); ++run) {
        common.rows[run].push_back(rows[run]);
      }
    }
  }
  common.left_out = static_cast<std::int64_t>(places.size() - common.names.size());
  if (common.names.empty()) {
    throw DataError(str("'", runs[0].label,
                        "' and the other runs have no image in common; compare "
                        "evaluations of the same images"));
  }
  return common;
}

bool all_have(const std::vector<ScoreTable>& runs, const std::string& column) {
  return std::all_of(runs.begin(), runs.end(),
                     [&](const ScoreTable& run) { return run.has(column); });
}

std::vector<std::string> columns_of(const std::vector<ScoreTable>& runs,
                                    const std::vector<std::string>& asked) {
  for (const std::string& column : asked) {
    for (const ScoreTable& run : runs) {
      if (!run.has(column)) {
        throw DataError(str("'", run.label, "' has no column of numbers '", column, "'",
                            did_you_mean(column, run.columns)));
      }
    }
  }
  if (!asked.empty()) {
    return asked;
  }
  std::vector<std::string> columns{"dice", "iou", "hd95", "assd", "nsd"};
  std::erase_if(columns, [&](const std::string& column) { return !all_have(runs, column); });
  if (columns.empty()) {  // somebody else's tables
    std::copy_if(runs[0].columns.begin(), runs[0].columns.end(), std::back_inserter(columns),
                 [&](const std::string& column) { return all_have(runs, column); });
  }
  if (columns.empty()) {
    throw DataError(str("'", runs[0].label,
                        "' and the other runs have no column of numbers in "
                        "common"));
  }
  return columns;
}

std::vector<double> column_values(const ScoreTable& run, const std::vector<std::size_t>& rows,
                                  const std::string& column) {
  const auto found = std::find(run.columns.begin(), run.columns.end(), column);
  const auto place = static_cast<std::size_t>(found - run.columns.begin());
  std::vector<double> values;
  for (const std::size_t row : rows) {
    values.push_back(run.rows[row][place]);
  }
  return values;
}

/// Of a metric's column, "hd95" or somebody's "HD95", or of a class's, "hd95_disc".
Best best_of(const std::string& written) {
  const std::string column = to_lower(written);
  if (column == "fp" || column == "fn") {
    return Best::kLowest;
  }
  const auto is_of = [&](const Metric& metric) {
    return column == metric.key || column.starts_with(str(metric.key, "_"));
  };
  const auto found = std::find_if(all_metrics().begin(), all_metrics().end(), is_of);
  return found == all_metrics().end() ? Best::kHighest : found->best;
}

/// Positive where b is better.
double gain(Best best, double a, double b) {
  switch (best) {
    case Best::kHighest:
      return b - a;
    case Best::kLowest:
      return a - b;
    case Best::kNearestToZero:
      break;
  }
  return std::abs(a) - std::abs(b);
}

std::int64_t images_to_turn(std::vector<double> differences) {
  double sum = std::accumulate(differences.begin(), differences.end(), 0.0);
  const double sign = sum < 0 ? -1 : 1;
  std::sort(differences.begin(), differences.end(),
            [&](double x, double y) { return sign * x > sign * y; });
  std::int64_t taken = 0;
  for (const double difference : differences) {
    if (sign * sum <= 1e-12) {
      break;
    }
    sum -= difference;
    ++taken;
  }
  return taken;
}

/// Two runs' scores of one column, image by image.
struct Paired {
  std::vector<std::string> names;
  std::vector<double> a;
  std::vector<double> b;
  std::vector<double> differences;
  std::vector<std::string> groups;
};

Paired pair_up(const Common& common, const std::vector<double>& a, const std::vector<double>& b,
               const std::vector<std::string>& groups) {
  Paired paired;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (is_defined(a[i]) && is_defined(b[i])) {
      paired.names.push_back(common.names[i]);
      paired.a.push_back(a[i]);
      paired.b.push_back(b[i]);
      paired.differences.push_back(b[i] - a[i]);
      if (!groups.empty()) {
        paired.groups.push_back(groups[i]);
      }
    }
  }
  return paired;
}

std::vector<Difference> largest(const Paired& paired) {
  constexpr std::size_t kShown = 10;
  std::vector<Difference> all;
  for (std::size_t i = 0; i < paired.names.size(); ++i) {
    if (paired.differences[i] != 0) {
      all.push_back({paired.names[i], paired.differences[i]});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Difference& x, const Difference& y) {
    return std::abs(x.value) > std::abs(y.value);
  });
  all.resize(std::min(all.size(), kShown));
  return all;
}

void count_wins(PairComparison& result, const Paired& paired) {
  constexpr double kEqual = 1e-9;
  const Best best = best_of(result.column);
  for (std::size_t i = 0; i < paired.a.size(); ++i) {
    const double better = gain(best, paired.a[i], paired.b[i]);
    ++(std::abs(better) < kEqual ? result.ties : better > 0 ? result.wins_b : result.wins_a);
  }
}

/// What the test takes as independent: with groups (patients, videos) their mean differences.
std::vector<double> independent(const Paired& paired) {
  if (paired.groups.empty()) {
    return paired.differences;
  }
  std::map<std::string, std::vector<double>> by_group;
  for (std::size_t i = 0; i < paired.differences.size(); ++i) {
    by_group[paired.groups[i]].push_back(paired.differences[i]);
  }
  std::vector<double> means;
  for (const auto& [group, differences] : by_group) {
    means.push_back(mean(differences));
  }
  return means;
}

PairComparison compare_pair(PairComparison result, const Paired& paired, std::size_t all,
                            std::uint64_t seed) {
  constexpr std::uint64_t kDifferences = 1000;  // streams below are those of means
  result.images = static_cast<std::int64_t>(paired.names.size());
  result.undefined = static_cast<std::int64_t>(all) - result.images;
  result.mean_a = mean(paired.a);
  result.mean_b = mean(paired.b);
  result.difference = mean(paired.differences);
  result.interval = bootstrap_interval(paired.differences, paired.groups, seed, kDifferences);
  result.test = wilcoxon(independent(paired));
  result.images_to_turn = images_to_turn(paired.differences);
  result.deciding = largest(paired);
  count_wins(result, paired);
  return result;
}

PairComparison named(const std::string& column, std::size_t a, std::size_t b) {
  PairComparison pair;
  pair.column = column;
  pair.a = a;
  pair.b = b;
  return pair;
}

void correct(std::vector<PairComparison>& pairs) {
  std::vector<double> p;
  for (const PairComparison& pair : pairs) {
    p.push_back(pair.test.p);
  }
  const std::vector<double> corrected = holm(p);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i].p_holm = corrected[i];
  }
}

std::vector<std::string> groups_of(const std::string& spec, const std::vector<std::string>& names) {
  std::vector<std::string> groups;
  if (!spec.empty()) {
    groups = groups_by(ImageColumn::read(spec), names);
  }
  return groups;
}

}  // namespace

Comparison compare(const std::vector<ScoreTable>& runs, const ComparisonOptions& options) {
  if (runs.size() < 2) {
    throw ConfigError("a comparison needs two or more runs");
  }
  const Common common = common_images(runs);
  const auto groups = groups_of(options.groups, common.names);
  Comparison comparison;
  comparison.images = static_cast<std::int64_t>(common.names.size());
  comparison.left_out = common.left_out;
  for (const ScoreTable& run : runs) {
    comparison.runs.push_back(run.label);
  }
  for (const std::string& column : columns_of(runs, options.columns)) {
    for (std::size_t a = 0; a < runs.size(); ++a) {
      for (std::size_t b = a + 1; b < runs.size(); ++b) {
        const Paired paired = pair_up(common, column_values(runs[a], common.rows[a], column),
                                      column_values(runs[b], common.rows[b], column), groups);
        comparison.pairs.push_back(
            compare_pair(named(column, a, b), paired, common.names.size(), options.seed));
      }
    }
  }
  correct(comparison.pairs);
  return comparison;
}

}  // namespace leaf::metrics
