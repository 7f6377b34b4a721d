#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "leaf/metrics/summary.h"

namespace leaf::metrics {

/// What a table says about images, by their names.
class ImageColumn {
 public:
  /// "FILE.csv:COLUMN": the column of that name; images are named in the column `name`, `image` or
  /// `file`, else in the first one, with or without extension. Throws DataError for a file or
  /// column that there is not and for an image with two different values.
  static ImageColumn read(const std::string& spec);

  /// Of a spec that was read: "COLUMN".
  const std::string& name() const { return name_; }
  /// The value of an image, by its whole name or else by the last part of it, of a slice also by
  /// its volume's, with or without folder and extension in either; "" where the table lacks it, has
  /// several of that last part, or says "", "nan", "na", "null" or "none".
  std::string of(const std::string& image) const;

 private:
  std::string name_;
  std::map<std::string, std::string> values_;
  std::map<std::string, std::string> by_last_part_;  ///< "" where several differ
};

/// Each image's value, in the order of the scores.
std::vector<std::string> values_of(const ImageColumn& column,
                                   const std::vector<ImageScore>& scores);

/// Each image's group for the bootstrap: its value, or a group of its own where it has none, which
/// is warned of.
std::vector<std::string> groups_by(const ImageColumn& column,
                                   const std::vector<std::string>& names);

/// Images that have something in common.
struct Stratum {
  std::string by;     ///< "size of target", or a column's name
  std::string level;  ///< "small (1 to 812 px)", "female", "not stated"
  std::vector<std::size_t> images;
};

/// By the true area in pixels: "terciles" of the images that hold a target, or upper ends of bins
/// "1000,5000"; images without target are a level of their own. Throws ConfigError for anything
/// else.
std::vector<Stratum> by_size(const std::vector<ImageScore>& scores, const std::string& bins);

/// By the values of a column: a level per value, terciles where there are more than eight different
/// numbers; "true" and "1" and "yes" stay what they are. What is not stated comes last.
std::vector<Stratum> by_column(const std::vector<ImageScore>& scores, const ImageColumn& column);

/// A stratum's summary.
struct StratumSummary {
  Stratum stratum;
  Summary summary;
};

/// The summary of each stratum; groups of the bootstrap and the convention as in `options`.
std::vector<StratumSummary> summarise_strata(const std::vector<ImageScore>& scores,
                                             const std::vector<Stratum>& strata,
                                             const SummaryOptions& options);

/// One row per stratum and metric: by, level, images, metric, undefined, mean, median, std, q1, q3,
/// low, high (of the interval). Atomic.
void write_strata_csv(const std::filesystem::path& path, const std::vector<StratumSummary>& strata);

}  // namespace leaf::metrics
