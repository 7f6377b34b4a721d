#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iomanip>
#include <sstream>
#include <string>
#include <vector>

#include "core/csv.h"
#include "core/json.h"
#include "json.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/comparison.h"
#include "samples.h"

namespace leaf::metrics {
namespace {

/// "0.034", "< 0.001"
std::string p_text(double p) { return p < 0.001 ? "< 0.001" : fixed(p, 3); }

/// Run 1 is "A", run 2 "B" ...; from 27 on "A1".
std::string letter(std::size_t run) {
  const std::string first(1, static_cast<char>('A' + run % 26));
  return run < 26 ? first : first + std::to_string(run / 26);
}

void print_pair(std::ostream& out, const PairComparison& pair) {
  const std::string interval =
      pair.interval ? str(fixed(pair.interval->low, 4), " to ", fixed(pair.interval->high, 4)) : "";
  out << "  " << std::left << std::setw(8) << pair.column << letter(pair.a) << " " << std::setw(9)
      << cell(pair.mean_a, 4) << letter(pair.b) << " " << std::setw(9) << cell(pair.mean_b, 4)
      << std::right << std::setw(9) << cell(pair.difference, 4) << "  " << std::left
      << std::setw(23) << interval << std::setw(9) << p_text(pair.test.p) << std::setw(9)
      << p_text(pair.p_holm) << pair.wins_b << " / " << pair.wins_a << " / " << pair.ties << '\n';
}

void print_deciding(std::ostream& out, const PairComparison& pair) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(kShown, pair.deciding.size()); ++i) {
    const Difference& d = pair.deciding[i];
    parts.push_back(str(d.image, " ", d.value > 0 ? "+" : "", fixed(d.value, 4)));
  }
  if (!parts.empty()) {
    out << "  " << pair.column << ", " << letter(pair.b) << " - " << letter(pair.a)
        << ": largest differences " << join(parts, ", ") << "; without the " << pair.images_to_turn
        << " most favourable of " << pair.images << " images the mean difference is gone\n";
  }
}

Json to_json(const PairComparison& pair, const Comparison& comparison) {
  Json deciding = Json::array();
  for (const Difference& difference : pair.deciding) {
    deciding.push_back({{"image", difference.image}, {"difference", difference.value}});
  }
  return {{"column", pair.column},
          {"a", comparison.runs[pair.a]},
          {"b", comparison.runs[pair.b]},
          {"images", pair.images},
          {"undefined", pair.undefined},
          {"mean_a", number_json(pair.mean_a)},
          {"mean_b", number_json(pair.mean_b)},
          {"difference", number_json(pair.difference)},
          {"difference_confidence_95", interval_json(pair.interval)},
          {"wilcoxon",
           {{"statistic", pair.test.statistic},
            {"p", pair.test.p},
            {"p_holm", pair.p_holm},
            {"used", pair.test.used},
            {"method", pair.test.exact ? "exact" : "normal"}}},
          {"wins_a", pair.wins_a},
          {"wins_b", pair.wins_b},
          {"ties", pair.ties},
          {"images_to_turn", pair.images_to_turn},
          {"deciding", deciding}};
}

}  // namespace

std::string comparison_text(const Comparison& comparison) {
  std::ostringstream out;
  out << "paired comparison of " << comparison.images << " images that all runs have";
  if (comparison.left_out > 0) {
    out << " (" << comparison.left_out << " that some run lacks are left out)";
  }
  out << '\n';
  for (std::size_t run = 0; run < comparison.runs.size(); ++run) {
    out << "  " << letter(run) << "  " << comparison.runs[run] << '\n';
  }
  out << "  column  mean       mean      difference  95 % CI                p        Holm     "
         "wins / losses / ties of the second\n";
  for (const PairComparison& pair : comparison.pairs) {
    print_pair(out, pair);
  }
  for (const PairComparison& pair : comparison.pairs) {
    print_deciding(out, pair);
  }
  out << "  p: Wilcoxon signed-rank, two-sided; Holm: corrected for all " << comparison.pairs.size()
      << " tests above\n";
  return out.str();
}

std::string comparison_json(const Comparison& comparison) {
  Json pairs = Json::array();
  for (const PairComparison& pair : comparison.pairs) {
    pairs.push_back(to_json(pair, comparison));
  }
  const Json json{{"runs", comparison.runs},
                  {"images", comparison.images},
                  {"left_out", comparison.left_out},
                  {"tests", comparison.pairs.size()},
                  {"pairs", pairs}};
  return json_text(json, 2) + "\n";
}

void write_comparison_csv(const std::filesystem::path& path, const Comparison& comparison) {
  std::string content =
      csv_row({"column", "a", "b", "images", "undefined", "mean_a", "mean_b", "difference", "low",
               "high", "statistic", "p", "p_holm", "wins_a", "wins_b", "ties", "images_to_turn"});
  for (const PairComparison& pair : comparison.pairs) {
    const auto count = [](std::int64_t value) { return std::to_string(value); };
    content +=
        csv_row({pair.column, comparison.runs[pair.a], comparison.runs[pair.b], count(pair.images),
                 count(pair.undefined), cell(pair.mean_a, 6), cell(pair.mean_b, 6),
                 cell(pair.difference, 6), pair.interval ? fixed(pair.interval->low, 6) : "",
                 pair.interval ? fixed(pair.interval->high, 6) : "", fixed(pair.test.statistic, 1),
                 str(pair.test.p), str(pair.p_holm), count(pair.wins_a), count(pair.wins_b),
                 count(pair.ties), count(pair.images_to_turn)});
  }
  write_file(path, content);
}

}  // namespace leaf::metrics
