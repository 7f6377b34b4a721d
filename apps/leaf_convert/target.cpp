#include "leaf_convert/target.h"

#include <cstddef>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/export_weights.h"
#include "leaf/pipeline/folders.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

/// Whether a sub-command of ours wrote this folder, and nobody has added to it.
bool is_ours(const fs::path& folder) {
  const std::size_t count = fs::is_directory(folder) ? list_folder(folder).size() : 0;
  return count > 0 &&
         (is_leaf_model_folder(folder) || (count == 1 && is_autoencoder_folder(folder)) ||
          (count == 2 && is_teacher_folder(folder)) ||
          (count == 1 && fs::is_regular_file(folder / kSdsegWeights)));
}

}  // namespace

void check_target(const fs::path& to, bool force) {
  remove_leftovers(fs::absolute(to / "").parent_path().parent_path());
  if (!fs::exists(to) || (fs::is_directory(to) && fs::is_empty(to))) {
    return;
  }
  if (!is_ours(to)) {
    throw ConfigError(
        str("'", to.string(), "' exists and is no model folder; choose another --to"));
  }
  if (!force) {
    throw ConfigError(str("'", to.string(), "' exists; choose another --to, or add --force"));
  }
}

}  // namespace leaf::apps
