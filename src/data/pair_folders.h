#pragma once

#include <filesystem>
#include <vector>

#include "leaf/data/name_pairs.h"
#include "leaf/data/pair.h"

namespace leaf::data {

/// Two parallel folders and what a mask's file name has beyond its image's.
struct PairFolders {
  std::filesystem::path images;
  std::filesystem::path masks;
  NameAffix affix;
  MaskRule rule = MaskRule::kThreshold;
};

/// Every image with its mask, natural order. The two may have different extensions and lie in
/// sub-folders of the same names. Throws DataError for files without partner, on either side, which
/// proposes the prefix and suffix that would pair them.
std::vector<Pair> match_pairs(const PairFolders& folders);

}  // namespace leaf::data
