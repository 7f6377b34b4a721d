#include "leaf_eval/report.h"

#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf::apps {
namespace {

void print_row(const char* name, const metrics::Statistics& values, const std::string& interval) {
  std::cout << "  " << std::left << std::setw(11) << name << std::right;
  for (const double value : {values.mean, values.median, values.std}) {
    std::cout << std::setw(9) << fixed(value, 4);
  }
  std::cout << (interval.empty() ? "" : "   ") << interval << '\n';
}

std::string text_of(const std::optional<metrics::Interval>& interval) {
  return interval ? str(fixed(interval->low, 4), " to ", fixed(interval->high, 4)) : "";
}

/// "Dice 0.8312, IoU 0.7222"
std::string target_means(const metrics::Summary& s) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < metrics::all_metrics().size(); ++i) {
    const metrics::Metric& metric = metrics::all_metrics()[i];
    if (metric.headline) {
      parts.push_back(str(metric.title, " ", fixed(s.means_with_target[i], 4)));
    }
  }
  return join(parts, ", ");
}

void print_table(const std::string& title, const std::vector<metrics::ImageScore>& scores) {
  const metrics::Summary s = metrics::summarise(scores);
  const std::vector<metrics::Metric>& table = metrics::all_metrics();
  std::cout << title << ": " << s.count << (s.count == 1 ? " image\n" : " images\n")
            << "                  mean   median      std"
            << (s.confidence ? "   95 % CI of the mean\n" : "\n");
  for (std::size_t i = 0; i < table.size(); ++i) {
    print_row(table[i].title, s.values[i], i == 0 ? text_of(s.confidence) : "");
  }
  std::cout << "  both empty: " << s.both_empty
            << " (every score 1), one of them empty: " << s.one_sided_empty
            << " (every score 0, but specificity)\n";
  if (s.with_target > 0 && s.with_target < s.count) {
    std::cout << "  the " << s.with_target << " images with a target alone: " << target_means(s)
              << '\n';
  }
}

/// "  over 10 noise samples: Dice 0.8312 (deviation 0.0005), IoU 0.7222 (0.0006)"
void print_seeds(const Evaluation& evaluation) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < metrics::all_metrics().size(); ++i) {
    const metrics::Metric& metric = metrics::all_metrics()[i];
    if (metric.headline) {
      const metrics::Statistics over_seeds = seed_statistics(evaluation, i);
      parts.push_back(str(metric.title, " ", fixed(over_seeds.mean, 4), " (deviation ",
                          fixed(over_seeds.std, 5), ")"));
    }
  }
  std::cout << "  over " << evaluation.seed_means.size() << " noise samples: " << join(parts, ", ")
            << '\n';
}

}  // namespace

void report(const Evaluation& evaluation, const EvaluationFacts& facts, const std::string& title,
            const std::filesystem::path& folder) {
  remove_leftovers(folder);
  write_evaluation(folder, evaluation, facts);
  print_table(title, evaluation.scores);
  if (!evaluation.seed_means.empty()) {
    print_seeds(evaluation);
  }
  if (!evaluation.native.empty()) {
    print_table("at the images' own sizes", evaluation.native);
  }
  std::cout << "scores.csv and summary.json are in '" << folder.string() << "'" << std::endl;
}

std::filesystem::path sibling(const std::filesystem::path& path, const std::string& suffix) {
  const auto clean = std::filesystem::weakly_canonical(std::filesystem::absolute(path));
  return clean.string() + suffix;
}

}  // namespace leaf::apps
