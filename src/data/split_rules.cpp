#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "data/registry.h"
#include "leaf/core/strings.h"
#include "leaf/data/data_config.h"

namespace leaf::data {
namespace {

using Found = std::optional<FieldProblem>;

/// True for a data set of the table alone: other names are refused where it is looked up.
bool lacks_published_split(const std::string& dataset) {
  const auto& layouts = dataset_layouts();
  return std::any_of(layouts.begin(), layouts.end(), [&](const DatasetLayout& layout) {
    return layout.name == dataset && !layout.published;
  });
}

/// What a strategy rests on.
Found missing_base(const DataConfig& config) {
  const SplitConfig& split = config.split;
  if (split.strategy == SplitStrategy::kManifest && split.manifest.empty()) {
    return FieldProblem{{"SplitConfig::strategy"},
                        "SplitConfig::strategy manifest needs SplitConfig::manifest, a CSV file"};
  }
  if (split.strategy == SplitStrategy::kGroups && split.groups.empty()) {
    return FieldProblem{{"SplitConfig::strategy"},
                        "SplitConfig::strategy groups needs SplitConfig::groups, a CSV file"};
  }
  if (split.strategy == SplitStrategy::kNnunet && split.folds.empty()) {
    return FieldProblem{
        {"SplitConfig::strategy"},
        "SplitConfig::strategy nnunet needs SplitConfig::folds, a splits_final.json"};
  }
  if (split.strategy == SplitStrategy::kPublished && lacks_published_split(config.dataset)) {
    return FieldProblem{{"SplitConfig::strategy", "DataConfig::dataset"},
                        str("SplitConfig::strategy published needs a published data set, not "
                            "DataConfig::dataset ",
                            config.dataset, "; use random, tail, groups, manifest or nnunet")};
  }
  return {};
}

Found wrong_size(const std::string& field, double size) {
  constexpr double kMostImages = 1e9;
  if (size > kMostImages) {
    return FieldProblem{{field}, str(field, " ", size, " is more images than any data set has")};
  }
  if (!(size >= 0) || (size >= 1 && size != std::floor(size))) {
    return FieldProblem{
        {field}, str(field, " ", size, " is neither a fraction (below 1) nor a whole count")};
  }
  return {};
}

Found wrong_sizes(const SplitConfig& split) {
  constexpr const char* kValidation = "SplitConfig::validation";
  constexpr const char* kTest = "SplitConfig::test";
  for (const auto& [field, size] :
       std::array{std::pair{kValidation, split.validation}, std::pair{kTest, split.test}}) {
    if (auto problem = wrong_size(field, size)) {
      return problem;
    }
  }
  const bool fractions = split.validation < 1 && split.test < 1;
  if (fractions && split.validation + split.test >= 1) {
    return FieldProblem{{kValidation, kTest},
                        str(kValidation, " ", split.validation, " and ", kTest, " ", split.test,
                            " leave nothing to train on; their sum must be below 1")};
  }
  return {};
}

}  // namespace

std::optional<FieldProblem> find_split_problem(const DataConfig& config) {
  auto problem = missing_base(config);
  return problem ? problem : wrong_sizes(config.split);
}

}  // namespace leaf::data
