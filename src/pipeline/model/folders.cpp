#include "leaf/pipeline/folders.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/sha256.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "pipeline/model/model_json.h"
#include "pipeline/model/stored_weights.h"

namespace leaf {
namespace fs = std::filesystem;

namespace {

/// What a model folder consists of.
constexpr std::array kParts{"unet", "vae", "latent_encoder", "scheduler", kDecoderFolder};
constexpr std::array kFiles{"model_index.json", kPreprocessingFile};

/// Whether a JSON file is there whose `_class_name` is this.
bool states_class(const fs::path& file, const char* name) {
  if (!fs::is_regular_file(file)) {
    return false;
  }
  const nlohmann::json content = read_json(file);
  return content.is_object() && content.value("_class_name", nlohmann::json()) == name;
}

}  // namespace

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

bool is_leaf_model_folder(const fs::path& folder) {
  const auto is_part = [](const fs::path& entry) {
    const auto is_named = [&](const char* name) { return entry.filename() == name; };
    return std::any_of(kParts.begin(), kParts.end(), is_named) ||
           std::any_of(kFiles.begin(), kFiles.end(), is_named);
  };
  const std::vector<fs::path> entries = list_folder(folder);
  return states_class(folder / "model_index.json", kModelClass) &&
         std::all_of(entries.begin(), entries.end(), is_part);
}

bool is_teacher_folder(const fs::path& folder) {
  return states_class(folder / "config.json", kTeacherClass);
}

std::optional<fs::path> run_folder_of(const fs::path& model) {
  const fs::path run = fs::weakly_canonical(model).parent_path();
  return fs::is_regular_file(run / kRunConfig) && fs::is_regular_file(run / kRunSplit)
             ? std::optional(run)
             : std::nullopt;
}

std::string model_sha256(const fs::path& model) {
  std::vector<std::string> names;
  for (const char* part : kParts) {
    if (!fs::is_directory(model / part)) {
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(model / part)) {
      if (entry.is_regular_file()) {
        names.push_back(entry.path().lexically_relative(model).string());
      }
    }
  }
  for (const char* name : kFiles) {
    if (fs::is_regular_file(model / name)) {
      names.emplace_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  std::string lines;
  for (const std::string& name : names) {
    lines += str(sha256_of_file(model / name), "  ", name, "\n");
  }
  return sha256(lines);
}

}  // namespace leaf
