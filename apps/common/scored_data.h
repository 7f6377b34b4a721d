#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "leaf/config/config.h"
#include "leaf/data/dataset.h"
#include "leaf/data/split.h"
#include "leaf/pipeline/model.h"

namespace leaf::apps {

/// The parts of a data set: as the run divided it that `model` lies in, if that is of this data set
/// and the configuration has no list of its own (manifest); that data.split says else is warned of.
data::SplitPairs divide(const Config& config, const std::filesystem::path& model);

/// Volumes are cut as for the model's training, where its folder says how; a difference is logged.
void take_slice_axis(data::DataConfig& data, const Preprocessing& preprocessing);

/// The pairs of the part `split` (train, validation, test); throws ConfigError when it is empty.
std::vector<data::Pair> pairs_of_part(const data::SplitPairs& all, const std::string& split);

/// The classes that the data set's masks are read by: the configuration's where it gives values,
/// else those that the model was trained with. Throws ConfigError unless they are the model's by
/// name.
data::MaskClasses classes_of(const data::MaskClasses& configured, const data::MaskClasses& model);

/// The pairs at a model's resolution, with its intensity and classes; every image is used once,
/// so none is kept.
data::Dataset make_dataset(data::DataConfig data, const std::vector<data::Pair>& pairs,
                           const Preprocessing& preprocessing);

/// What a model, run or folder is called over its column: "runs/a" of "x/runs/a/best".
std::string column_title(const std::filesystem::path& entry);

}  // namespace leaf::apps
