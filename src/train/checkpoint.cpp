#include "train/checkpoint.h"

#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"

namespace leaf {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

constexpr int kFormatVersion = 1;
constexpr const char* kStateFile = "state.json";
constexpr const char* kWeightsFile = "weights.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";

/// Complete checkpoints, oldest first (their names sort by step).
std::vector<fs::path> complete_checkpoints(const fs::path& folder) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) {
    return found;
  }
  for (const fs::path& entry : list_folder(folder)) {
    if (entry.filename().string().starts_with("step-") && fs::exists(entry / kStateFile)) {
      found.push_back(entry);
    }
  }
  return found;
}

}  // namespace

std::string step_name(std::int64_t step) {
  std::ostringstream name;
  name << "step-" << std::setw(7) << std::setfill('0') << step;
  return name.str();
}

void write_checkpoint(const fs::path& folder, const Checkpoint& checkpoint, std::int64_t keep) {
  replace_folder(folder / step_name(checkpoint.step), [&](const fs::path& target) {
    io::write_safetensors(target / kWeightsFile, checkpoint.weights);
    io::write_safetensors(target / kOptimizerFile, checkpoint.optimizer);
    const json state{{"format_version", kFormatVersion},
                     {"step", checkpoint.step},
                     {"batches", checkpoint.batches},
                     {"best_score", checkpoint.best_score},
                     {"best_step", checkpoint.best_step},
                     {"validation_due", checkpoint.validation_due},
                     {"unlogged_sums", checkpoint.unlogged_sums},
                     {"unlogged_steps", checkpoint.unlogged_steps}};
    write_file(target / kStateFile, state.dump(2) + "\n");
  });
  const std::vector<fs::path> all = complete_checkpoints(folder);
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < all.size(); ++i) {
    std::error_code ignored;
    fs::remove_all(all[i], ignored);
  }
}

std::optional<fs::path> latest_checkpoint(const fs::path& folder) {
  const std::vector<fs::path> all = complete_checkpoints(folder);
  return all.empty() ? std::nullopt : std::optional(all.back());
}

Checkpoint read_checkpoint(const fs::path& path) {
  Checkpoint checkpoint;
  try {
    const json state = json::parse(read_file(path / kStateFile));
    if (state.at("format_version") > kFormatVersion) {
      throw WeightsError(str("'", path.string(), "' was written by a newer version of leaf"));
    }
    checkpoint.step = state.at("step");
    checkpoint.batches = state.value("batches", std::int64_t{-1});
    checkpoint.best_score = state.at("best_score");
    checkpoint.best_step = state.at("best_step");
    checkpoint.validation_due = state.value("validation_due", false);
    checkpoint.unlogged_sums = state.value("unlogged_sums", checkpoint.unlogged_sums);
    checkpoint.unlogged_steps = state.value("unlogged_steps", std::int64_t{0});
  } catch (const json::exception& failure) {
    throw WeightsError(str("'", (path / kStateFile).string(), "': ", failure.what()));
  }
  checkpoint.weights = io::read_safetensors(path / kWeightsFile);
  checkpoint.optimizer = io::read_safetensors(path / kOptimizerFile);
  return checkpoint;
}

}  // namespace leaf
