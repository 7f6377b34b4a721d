#include "leaf/pipeline/folders.h"

#include <algorithm>
#include <array>

#include "pipeline/model/model_json.h"
#include "pipeline/model/stored_weights.h"

namespace leaf {
namespace fs = std::filesystem;

std::optional<fs::path> find_folder(const fs::path& path,
                                    const std::function<bool(const fs::path&)>& is_kind) {
  for (const fs::path& folder : {path, path / kRunBest, path / kRunLast}) {
    if (is_kind(folder)) {
      return folder;
    }
  }
  return std::nullopt;
}

bool is_parts_folder(const fs::path& folder) {
  return fs::is_directory(folder / "unet") || fs::is_directory(folder / "vae");
}

bool is_autoencoder_folder(const fs::path& folder) {
  constexpr std::array kOthers{"unet", "unet_ema", "latent_encoder", "model_index.json"};
  return fs::exists(folder / "vae/config.json") &&
         std::none_of(kOthers.begin(), kOthers.end(),
                      [&](const char* other) { return fs::exists(folder / other); });
}

bool is_teacher_folder(const fs::path& folder) {
  const fs::path config = folder / "config.json";
  if (!fs::is_regular_file(config)) {
    return false;
  }
  const nlohmann::json content = read_json(config);
  return content.is_object() && content.value("_class_name", nlohmann::json()) == kTeacherClass;
}

std::optional<fs::path> run_folder_of(const fs::path& model) {
  const fs::path run = fs::weakly_canonical(model).parent_path();
  return fs::is_regular_file(run / kRunConfig) && fs::is_regular_file(run / kRunSplit)
             ? std::optional(run)
             : std::nullopt;
}

}  // namespace leaf
