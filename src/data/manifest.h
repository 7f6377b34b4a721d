#pragma once

#include <filesystem>

#include "leaf/data/data_config.h"
#include "leaf/data/pair.h"
#include "leaf/data/split.h"

namespace leaf::data {

/// What becomes of a row whose image is no longer there.
enum class Gone { kError, kLeftOut };

/// Divides the pairs as the file says; see split_pairs.
SplitPairs split_by_manifest(const std::filesystem::path& manifest,
                             const std::filesystem::path& root, const PairList& list, Gone gone);

}  // namespace leaf::data
