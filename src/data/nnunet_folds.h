#pragma once

#include <filesystem>

#include "data/registry.h"
#include "leaf/data/split.h"

namespace leaf::data {

/// Fold number `fold` of nnU-Net's splits_final.json: [{"train": [names], "val": [names]}, ...]. A
/// name is that of an image without extension; nnU-Net's own images have _0000 behind it. Images in
/// none of the two are left out with a warning. Throws DataError for a file that is not of that
/// form, a name without image and one in both parts; ConfigError for a fold that it lacks.
SplitPairs split_by_fold(const std::filesystem::path& file, std::int64_t fold,
                         const std::vector<Pair>& pairs);

}  // namespace leaf::data
