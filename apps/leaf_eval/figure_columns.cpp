#include "leaf_eval/figure_columns.h"

#include <algorithm>

#include "common/scored_data.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/volume.h"
#include "leaf/pipeline/folders.h"

namespace leaf::apps {

namespace fs = std::filesystem;

std::optional<fs::path> find_picture(const fs::path& folder, const std::string& name) {
  const fs::path wanted = folder / name;
  std::error_code none;
  for (fs::directory_iterator it(wanted.parent_path(), none), end; !none && it != end;
       it.increment(none)) {
    if (data::without_extension(it->path().filename()) == wanted.filename() &&
        data::is_image_file(it->path())) {
      return it->path();
    }
  }
  return std::nullopt;
}

std::vector<report::Column> figure_columns(const EvalOptions& options,
                                           const ColumnSources& sources) {
  std::vector<report::Column> columns;
  for (const fs::path& entry : options.figure_with) {
    if (!fs::is_directory(entry)) {
      throw ConfigError(str("--figure-with: no folder '", entry.string(), "'"));
    }
    const auto model = find_folder(entry, is_parts_folder);
    const auto masks = [entry = model.value_or(entry),
                        make = model ? sources.of_model : sources.of_folder](
                           const std::vector<std::size_t>& places) { return make(entry, places); };
    columns.push_back({column_title(entry), masks});
  }
  return columns;
}

}  // namespace leaf::apps
