#include "leaf_eval/report.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <optional>
#include <utility>
#include <vector>

#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf::apps {
namespace {

constexpr int kNameWidth = 15;

/// Four decimals, fewer where a row has large numbers: areas may be millions of pixels.
int decimals_of(const metrics::Statistics& s) {
  double largest = 0;
  for (const double value : {s.mean, s.median, s.std, s.q1, s.q3}) {
    largest = metrics::is_defined(value) ? std::max(largest, std::abs(value)) : largest;
  }
  return largest < 100 ? 4 : largest < 10'000 ? 2 : 0;
}

void print_row(const metrics::Metric& metric, const metrics::Statistics& s) {
  const auto cell = [decimals = decimals_of(s)](double value) {
    return metrics::is_defined(value) ? fixed(value, decimals) : "-";
  };
  std::cout << "  " << std::left << std::setw(kNameWidth) << metric.title << std::right;
  for (const double value : {s.mean, s.median, s.std, s.q1, s.q3}) {
    std::cout << std::setw(10) << cell(value);
  }
  if (s.interval) {
    std::cout << "   " << cell(s.interval->low) << " to " << cell(s.interval->high);
  }
  if (s.undefined > 0) {
    std::cout << "   " << s.undefined << " undefined";
  }
  std::cout << '\n';
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

std::string empties_text(const metrics::Summary& s) {
  const bool ours = s.convention == &metrics::all_conventions().front();
  const char* both = ours ? " (every score 1), one of them empty: " : ", one of them empty: ";
  const char* one = ours ? " (every score 0, but specificity)" : "";
  const std::string rule =
      ours ? "" : str("\n  Dice and IoU as in ", s.convention->title, ": ", s.convention->rule);
  return str("  both empty: ", s.both_empty, both, s.one_sided_empty, one, rule, "\n");
}

void print_table(const std::string& title, const metrics::Summary& s) {
  const std::vector<metrics::Metric>& table = metrics::all_metrics();
  const bool interval = s.values.front().interval.has_value();
  std::cout << title << ": " << s.count << (s.count == 1 ? " image\n" : " images\n")
            << std::string(kNameWidth, ' ')
            << "        mean    median       std        q1        q3"
            << (interval ? "   95 % CI of the mean\n" : "\n");
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (metrics::is_shown(table[i], s.groups)) {
      print_row(table[i], s.values[i]);
    }
  }
  std::cout << empties_text(s);
  if (s.with_target > 0 && s.with_target < s.count) {
    std::cout << "  the " << s.with_target << " images with a target alone: " << target_means(s)
              << '\n';
  }
}

/// "  over 10 noise samples: Dice 0.8312 (deviation 0.0005), IoU 0.7222 (0.0006)"
void print_seeds(const EvaluationSummary& summary) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < metrics::all_metrics().size(); ++i) {
    const metrics::Metric& metric = metrics::all_metrics()[i];
    if (metric.headline) {
      const metrics::Statistics over_seeds = seed_statistics(summary, i);
      parts.push_back(str(metric.title, " ", fixed(over_seeds.mean, 4), " (deviation ",
                          fixed(over_seeds.std, 5), ")"));
    }
  }
  std::cout << "  over " << summary.seed_means.size() << " noise samples: " << join(parts, ", ")
            << '\n';
}

/// The mean of every metric, in the order of the table.
std::vector<double> means_of(const metrics::Summary& summary) {
  std::vector<double> means;
  for (const metrics::Statistics& metric : summary.values) {
    means.push_back(metric.mean);
  }
  return means;
}

/// "0.8312 (0.7911 to 0.8620)"
std::string mean_text(const metrics::Statistics& s) {
  const std::string mean = metrics::is_defined(s.mean) ? fixed(s.mean, 4) : "-";
  return s.interval
             ? str(mean, " (", fixed(s.interval->low, 4), " to ", fixed(s.interval->high, 4), ")")
             : mean;
}

void print_strata(const std::vector<metrics::StratumSummary>& strata) {
  std::string by;
  for (const metrics::StratumSummary& row : strata) {
    if (row.stratum.by != by) {
      by = row.stratum.by;
      std::cout << "by " << by << "\n";
    }
    std::cout << "  " << std::left << std::setw(28) << row.stratum.level << std::right
              << std::setw(7) << row.summary.count
              << (row.summary.count == 1 ? " image " : " images") << "  Dice " << std::left
              << std::setw(27) << mean_text(row.summary.of("dice")) << "IoU "
              << mean_text(row.summary.of("iou")) << '\n';
  }
}

void print(const std::string& title, const metrics::Breakdown& breakdown) {
  const bool several = !breakdown.classes.empty();
  print_table(several ? str(title, ", means of the classes") : title, breakdown.summary);
  for (const metrics::ClassSummary& each : breakdown.classes) {
    print_table(str(title, ", ", each.name), each.summary);
  }
  print_strata(breakdown.strata);
  if (!breakdown.conventions.empty()) {
    std::cout << metrics::conventions_text(breakdown.conventions);
  }
}

}  // namespace

EvaluationSummary publish(Evaluation& evaluation, const EvaluationFacts& facts,
                          const metrics::BreakdownOptions& options, const std::string& title,
                          const std::filesystem::path& folder) {
  const auto summarise = [&](std::vector<metrics::ImageScore>& scores) {
    metrics::apply_convention(*options.convention, scores);
    return metrics::break_down(scores, options);
  };
  EvaluationSummary summary{facts, summarise(evaluation.scores), std::nullopt, {}};
  summary.facts.emplace_back("images_sha256", names_sha256(evaluation.scores));
  metrics::SummaryOptions of_seeds;
  of_seeds.convention = options.convention;
  for (std::vector<metrics::ImageScore>& scores : evaluation.seeds) {
    metrics::apply_convention(*options.convention, scores);
    summary.seed_means.push_back(means_of(metrics::summarise(scores, of_seeds)));
  }
  if (!evaluation.native.empty()) {
    summary.native = summarise(evaluation.native);
  }
  remove_leftovers(folder);
  write_evaluation(folder, evaluation, summary);
  print(title, summary.scores);
  if (!summary.seed_means.empty()) {
    print_seeds(summary);
  }
  if (summary.native) {
    print("at the images' own sizes", *summary.native);
  }
  std::cout << "scores.csv and summary.json are in '" << folder.string() << "'" << std::endl;
  return summary;
}

std::vector<std::string> files_not_written(const EvalOptions& options) {
  const bool scores_model = !options.model.empty();
  const bool strata = !options.scoring.by.empty() || !options.scoring.by_size.empty();
  const bool native = scores_model && options.native;
  const std::vector<std::pair<const char*, bool>> files{
      {"strata.csv", strata},
      {"scores-native.csv", native},
      {"strata-native.csv", strata && native},
      {"overlays", scores_model && options.overlays > 0},
      {"report.html", options.report},
      {"figure.png", options.figure}};
  std::vector<std::string> names;
  for (const auto& [name, written] : files) {
    if (!written) {
      names.emplace_back(name);
    }
  }
  return names;
}

void write_pages(const EvalOptions& options, const report::Report& page,
                 const std::filesystem::path& folder) {
  if (options.report) {
    report::write_report(folder / "report.html", page);
  }
  if (options.figure) {
    report::write_figure(folder / "figure.png", page);
  }
}

std::filesystem::path sibling(const std::filesystem::path& path, const std::string& suffix) {
  const auto clean = std::filesystem::weakly_canonical(std::filesystem::absolute(path));
  return clean.string() + suffix;
}

}  // namespace leaf::apps
