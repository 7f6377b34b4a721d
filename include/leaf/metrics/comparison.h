#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "leaf/metrics/summary.h"
#include "leaf/metrics/wilcoxon.h"

namespace leaf::metrics {

/// The scores of an earlier evaluation, or of anybody's table with a row per image.
struct ScoreTable {
  std::string label;                 ///< the path as it was given
  std::vector<std::string> columns;  ///< those that hold numbers, in the order of the file
  std::vector<std::string> names;
  std::vector<std::vector<double>> rows;  ///< by image, then column; kUndefined for empty cells

  bool has(const std::string& column) const;
};

/// Reads a scores.csv, or the one in a folder. The images are named in the column `name` or else in
/// the first; cells are read as cell_number() does; columns with other texts are left out.
/// Throws DataError for a table without images or with an image twice.
ScoreTable read_scores(const std::filesystem::path& path);

/// An image on which two runs differ.
struct Difference {
  std::string image;
  double value = 0;
};

/// Run b against run a, in one column, over the images for which both have a score.
struct PairComparison {
  std::string column;
  std::size_t a = 0;  ///< places of the runs
  std::size_t b = 0;
  std::int64_t images = 0;
  std::int64_t undefined = 0;  ///< images of both that lack one of the two scores
  double mean_a = kUndefined;
  double mean_b = kUndefined;
  double difference = kUndefined;    ///< the mean of b - a
  std::optional<Interval> interval;  ///< its 95 % bootstrap interval
  Wilcoxon test;
  double p_holm = 1;        ///< p corrected for all tests of the comparison
  std::int64_t wins_a = 0;  ///< images on which a is better
  std::int64_t wins_b = 0;
  std::int64_t ties = 0;
  /// How many images must be taken away until the mean difference is zero or turns, the most
  /// favourable first.
  std::int64_t images_to_turn = 0;
  std::vector<Difference> deciding;  ///< the largest differences, at most ten
};

struct ComparisonOptions {
  std::vector<std::string> columns;  ///< empty: dice, iou, hd95, assd, nsd, as far as all have them
  std::uint64_t seed = 1337;
  /// FILE.csv:COLUMN of the groups that the bootstrap draws and the test takes as one; empty: each
  /// image is one.
  std::string groups;
};

struct Comparison {
  std::vector<std::string> runs;
  std::int64_t images = 0;            ///< that all runs have
  std::int64_t left_out = 0;          ///< that some run lacks
  std::vector<PairComparison> pairs;  ///< by column, then pair of runs
};

/// Compares every two of the runs, paired by the images' names. Throws DataError when no image or
/// column is common to all.
Comparison compare(const std::vector<ScoreTable>& runs, const ComparisonOptions& options);

/// For a terminal.
std::string comparison_text(const Comparison& comparison);

/// All of it; `comparison.json`.
std::string comparison_json(const Comparison& comparison);

/// One row per column and pair; `comparison.csv`. Atomic.
void write_comparison_csv(const std::filesystem::path& path, const Comparison& comparison);

}  // namespace leaf::metrics
