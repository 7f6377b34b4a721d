#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "leaf/data/dataset.h"
#include "leaf/data/split.h"

namespace leaf {

/// What reading every image and mask of a data set once has shown.
struct PairFindings {
  std::size_t with_foreground = 0;  ///< training masks that hold a target, as they are trained on
  std::int64_t foreground = 0;      ///< target pixels of the training masks
  std::int64_t pixels = 0;          ///< of the training masks
  std::vector<std::string> split_warnings;  ///< images that are much alike in different parts
};

/// Reads every pair of the parts. Logs what is odd about their masks and, where pairs cannot be
/// used, the first 20 of them; then throws DataError. Throws it as well if no training mask holds a
/// target.
PairFindings check_pairs(const data::Dataset& train, const data::Dataset& validation,
                         const data::SplitPairs& split);

}  // namespace leaf
