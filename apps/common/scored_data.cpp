#include "common/scored_data.h"

#include <optional>

#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folders.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

/// The division of the run that a model folder lies in, if it is of this data set and the
/// configuration has no list of its own.
std::optional<fs::path> split_of_run(const Config& config, const fs::path& model) {
  const auto run = run_folder_of(model);
  if (!run || config.data.split.strategy == data::SplitStrategy::kManifest) {
    return std::nullopt;
  }
  const Config of_run = config::load_config(*run / kRunConfig, {});
  const bool has_moved =
      fs::weakly_canonical(of_run.data.root) != fs::weakly_canonical(config.data.root);
  if (has_moved && !data::holds_most_of(config.data.root, *run / kRunSplit)) {
    log::info(str("'", config.data.root.string(), "' has other images than '",
                  of_run.data.root.string(), "', which the run was of: they are divided anew"));
    return std::nullopt;
  }
  if (has_moved) {
    log::warn(str("the images of '", config.data.root.string(), "' are taken for those of '",
                  of_run.data.root.string(),
                  "', which the run was of: its division counts. For another: data.split.strategy "
                  "manifest"));
  } else if (of_run.data.split != config.data.split || of_run.seed != config.seed) {
    log::warn(
        "data.split or seed are not the run's; its own division counts, so that nothing is "
        "scored that was learned from. For another: data.split.strategy manifest");
  }
  return *run / kRunSplit;
}

}  // namespace

data::SplitPairs divide(const Config& config, const fs::path& model) {
  if (const auto split_csv = split_of_run(config, model)) {
    log::info(str("the parts are those of '", split_csv->string(), "'"));
    return data::split_pairs_of_run(config.data, *split_csv);
  }
  return data::split_pairs(config.data, config.seed);
}

void take_slice_axis(data::DataConfig& data, const Preprocessing& preprocessing) {
  const data::SliceAxis axis = preprocessing.slice_axis.value_or(data.slice_axis);
  if (axis != data.slice_axis) {
    log::info(str("cutting volumes as the model was trained, along '", enum_text(axis),
                  "', not with data.slice_axis ", enum_text(data.slice_axis)));
  }
  data.slice_axis = axis;
}

std::vector<data::Pair> pairs_of_part(const data::SplitPairs& all, const std::string& split) {
  std::vector<data::Pair> pairs = all.part(parse_enum<data::Split>(split, "--split"));
  if (pairs.empty()) {
    throw ConfigError(str("the ", split, " part is empty (train ", all.train.size(),
                          ", validation ", all.validation.size(), ", test ", all.test.size(),
                          " images): choose another by --split",
                          split == "train" ? "" : str(", or set data.split.", split)));
  }
  return pairs;
}

data::MaskClasses classes_of(const data::MaskClasses& configured, const data::MaskClasses& model) {
  if (!configured.by_value()) {
    return model;
  }
  if (configured.list.size() != model.list.size() ||
      (model.several() && data::class_names(configured) != data::class_names(model))) {
    throw ConfigError(str("data.classes has ", join(data::class_names(configured), ", "),
                          ", but the model ", join(data::class_names(model), ", "),
                          "; give the values of the model's classes, in its order"));
  }
  data::MaskClasses classes = configured;
  classes.coding = model.coding;
  return classes;
}

data::Dataset make_dataset(data::DataConfig data, const std::vector<data::Pair>& pairs,
                           const Preprocessing& preprocessing) {
  data.resolution = preprocessing.resolution;
  data.intensity = preprocessing.intensity;
  data.classes = classes_of(data.classes, preprocessing.classes);
  data.cache_mb = 0;
  return {pairs, data};
}

std::string column_title(const fs::path& entry) {
  fs::path path = entry.lexically_normal();
  while (!path.has_filename() || path.filename() == kRunBest || path.filename() == kRunLast) {
    if (!path.has_parent_path() || path.parent_path() == path) {
      break;
    }
    path = path.parent_path();
  }
  return (path.parent_path().filename() / path.filename()).string();
}

}  // namespace leaf::apps
