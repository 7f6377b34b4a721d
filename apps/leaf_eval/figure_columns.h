#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "leaf/report/report.h"
#include "leaf_eval/options.h"

namespace leaf::apps {

/// The image file of that name in a folder, whatever its format; nothing where there is none.
std::optional<std::filesystem::path> find_picture(const std::filesystem::path& folder,
                                                  const std::string& name);

/// How masks of --figure-with come about, by the kind of its entry.
struct ColumnSources {
  using Masks = std::function<std::vector<at::Tensor>(const std::filesystem::path& entry,
                                                      const std::vector<std::size_t>& places)>;
  Masks of_model;   ///< entry: a model folder
  Masks of_folder;  ///< entry: a folder of masks
};

/// A column for each entry of --figure-with. ConfigError for an entry that is no folder.
std::vector<report::Column> figure_columns(const EvalOptions& options,
                                           const ColumnSources& sources);

}  // namespace leaf::apps
