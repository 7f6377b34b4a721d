#include "leaf_convert/target.h"

#include <string>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

bool is_autoencoder(const fs::path& folder) {
  return fs::exists(folder / "vae/config.json") && list_folder(folder).size() == 1;
}

/// By the class name that only our own teacher folders have.
bool is_teacher(const fs::path& folder) {
  const fs::path config = folder / "config.json";
  return fs::is_regular_file(config) && list_folder(folder).size() == 2 &&
         read_file(config).find(R"("_class_name": "VisionTransformer")") != std::string::npos;
}

}  // namespace

void check_target(const fs::path& to, bool force) {
  if (!fs::exists(to) || (fs::is_directory(to) && fs::is_empty(to))) {
    return;
  }
  if (!fs::exists(to / "model_index.json") && !is_autoencoder(to) && !is_teacher(to)) {
    throw ConfigError(
        str("'", to.string(), "' exists and is no model folder; choose another --to"));
  }
  if (!force) {
    throw ConfigError(str("'", to.string(), "' exists; choose another --to, or add --force"));
  }
}

}  // namespace leaf::apps
