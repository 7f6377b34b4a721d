#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "leaf/data/pair.h"

namespace leaf::data {

/// Two parallel folders and what a mask's file name has beyond its image's.
struct PairFolders {
  std::filesystem::path images;
  std::filesystem::path masks;
  std::string prefix;
  std::string suffix;
  MaskRule rule = MaskRule::kThreshold;
};

/// Every image with its mask, natural order. The two may have different extensions and lie in
/// sub-folders of the same names. DataError for files without partner, on either side.
std::vector<Pair> match_pairs(const PairFolders& folders);

}  // namespace leaf::data
