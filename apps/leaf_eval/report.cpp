#include "leaf_eval/report.h"

#include <iomanip>
#include <iostream>
#include <optional>

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

void print_table(const std::string& title, const std::vector<metrics::ImageScore>& scores) {
  const metrics::Summary s = metrics::summarise(scores);
  std::cout << title << ": " << s.count << (s.count == 1 ? " image\n" : " images\n")
            << "                  mean   median      std"
            << (s.dice_confidence ? "   95 % CI of the mean\n" : "\n");
  print_row("Dice", s.dice, text_of(s.dice_confidence));
  print_row("IoU", s.iou, "");
  print_row("precision", s.precision, "");
  print_row("recall", s.recall, "");
  std::cout << "  both empty: " << s.both_empty
            << " (every score 1), one of them empty: " << s.one_sided_empty << " (every score 0)\n";
  if (s.with_target > 0 && s.with_target < s.count) {
    std::cout << "  the " << s.with_target << " images with a target alone: Dice "
              << fixed(s.dice_with_target, 4) << ", IoU " << fixed(s.iou_with_target, 4) << '\n';
  }
}

}  // namespace

void report(const Evaluation& evaluation, const EvaluationFacts& facts, const std::string& title,
            const std::filesystem::path& folder) {
  write_evaluation(folder, evaluation, facts);
  print_table(title, evaluation.scores);
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
