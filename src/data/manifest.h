#pragma once

#include "leaf/data/data_config.h"
#include "leaf/data/pair.h"
#include "leaf/data/split.h"

namespace leaf::data {

/// Divides the pairs as the file config.split.manifest says; see split_pairs.
SplitPairs split_by_manifest(const DataConfig& config, const PairList& list);

}  // namespace leaf::data
