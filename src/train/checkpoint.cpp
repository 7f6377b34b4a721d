#include "train/checkpoint.h"

#include <algorithm>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "config/field_types.h"
#include "core/checksum.h"
#include "io/json_util.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "pipeline/model/json_keys.h"

namespace leaf {
namespace fs = std::filesystem;
using nlohmann::json;
namespace {

constexpr int kFormatVersion = 1;
constexpr const char* kStateFile = "state.json";
constexpr const char* kWeightsFile = "weights.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kChecksums = "checksums";

/// The values of state.json and their rules.
std::vector<config::Field> state_fields(Checkpoint& checkpoint) {
  return {config::integer("step", checkpoint.step, config::at_least(1), ""),
          config::integer("batches", checkpoint.batches, config::at_least(-1), ""),
          config::number("best_score", checkpoint.best_score, config::any(), ""),
          config::integer("best_step", checkpoint.best_step, config::at_least(0), ""),
          config::text("best_metric", checkpoint.best_metric, ""),
          config::text("best_images", checkpoint.best_images, ""),
          config::boolean("validation_due", checkpoint.validation_due, ""),
          config::text("frozen", checkpoint.frozen, ""),
          config::integer("unlogged_steps", checkpoint.unlogged_steps, config::at_least(0), ""),
          config::integer("skipped_steps", checkpoint.skipped_steps, config::at_least(0), "")};
}

/// Of what the state says, but the checksums that it states.
std::string own_checksum(json state) {
  state.erase(kChecksums);
  return checksum(state.dump());
}

json make_state(const Checkpoint& checkpoint, const fs::path& folder) {
  json state{{"format_version", kFormatVersion},
             {"step", checkpoint.step},
             {"batches", checkpoint.batches},
             {"best_score", checkpoint.best_score},
             {"best_step", checkpoint.best_step},
             {"best_metric", checkpoint.best_metric},
             {"best_images", checkpoint.best_images},
             {"validation_due", checkpoint.validation_due},
             {"frozen", checkpoint.frozen},
             {"unlogged_sums", checkpoint.unlogged_sums},
             {"unlogged_steps", checkpoint.unlogged_steps},
             {"skipped_steps", checkpoint.skipped_steps}};
  state[kChecksums] = {{kStateFile, own_checksum(state)},
                       {kWeightsFile, file_checksum(folder / kWeightsFile)},
                       {kOptimizerFile, file_checksum(folder / kOptimizerFile)}};
  return state;
}

void check_version(const json& state) {
  const json version = state.at("format_version");
  if (!version.is_number_integer() || version < 1) {
    throw ConfigError("format_version expects a whole number >= 1");
  }
  if (version > kFormatVersion) {
    throw ConfigError("written by a newer version of leaf");
  }
}

/// The checkpoints of older versions state no checksums.
void check_checksums(const json& state, const fs::path& folder) {
  const json stated = state.value(kChecksums, json::object());
  for (const char* file : {kStateFile, kWeightsFile, kOptimizerFile}) {
    if (stated.contains(file)) {
      const std::string found =
          file == kStateFile ? own_checksum(state) : file_checksum(folder / file);
      if (stated.at(file) != found) {
        throw WeightsError(str("'", (folder / file).string(), "' is damaged: its checksum is ",
                               found, ", not ", printable(stated.at(file).dump())));
      }
    }
  }
}

void read_unlogged_sums(const json& state, Checkpoint& checkpoint) {
  const json sums = state.value("unlogged_sums", json::object());
  const bool fits = sums.is_object() && std::all_of(sums.begin(), sums.end(), [](const json& sum) {
                      return sum.is_number();
                    });
  if (!fits) {
    throw ConfigError("unlogged_sums expects an object of numbers");
  }
  sums.get_to(checkpoint.unlogged_sums);
}

void read_state(const json& state, const fs::path& folder, Checkpoint& checkpoint) {
  check_version(state);
  check_checksums(state, folder);
  for (const config::Field& field : state_fields(checkpoint)) {
    const bool required = field.key == "step" || field.key == "best_score" ||
                          field.key == "best_step";  // older ones have no more
    if (required || state.contains(field.key)) {
      assign(field, value_of(state.at(field.key), field), field.key);
    }
  }
  read_unlogged_sums(state, checkpoint);
  if (checkpoint.best_step > checkpoint.step || step_name(checkpoint.step) != folder.filename()) {
    throw ConfigError(str("step ", checkpoint.step, " and best_step ", checkpoint.best_step,
                          " do not fit the folder's name"));
  }
}

}  // namespace

std::string step_name(std::int64_t step) {
  std::ostringstream name;
  name << "step-" << std::setw(7) << std::setfill('0') << step;
  return name.str();
}

/// Others, such as "step-0050000-keep", are the user's.
bool is_step_name(std::string_view name) {
  constexpr std::string_view kPrefix = "step-";
  return name.starts_with(kPrefix) &&
         name.find_first_not_of("0123456789", kPrefix.size()) == std::string_view::npos;
}

void write_checkpoint(const fs::path& folder, const Checkpoint& checkpoint, std::int64_t keep) {
  const std::string name = step_name(checkpoint.step);
  replace_folder(folder / name, [&](const fs::path& target) {
    io::write_safetensors(target / kWeightsFile, checkpoint.weights);
    io::write_safetensors(target / kOptimizerFile, checkpoint.optimizer);
    write_file(target / kStateFile, make_state(checkpoint, target).dump(2) + "\n");
  });
  std::vector<fs::path> old = complete_checkpoints(folder);
  std::error_code ignored;
  for (; old.back().filename() != name; old.pop_back()) {
    fs::remove_all(old.back(), ignored);
  }
  for (std::size_t i = 0; i + static_cast<std::size_t>(keep) < old.size(); ++i) {
    fs::remove_all(old[i], ignored);
  }
}

std::vector<fs::path> complete_checkpoints(const fs::path& folder) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) {
    return found;
  }
  for (const fs::path& entry : list_folder(folder)) {  // sorted by name
    if (is_step_name(entry.filename().string()) && fs::exists(entry / kStateFile)) {
      found.push_back(entry);
    }
  }
  // Names have seven digits, and more from ten million steps on.
  std::stable_sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
    return a.filename().string().size() < b.filename().string().size();
  });
  return found;
}

Checkpoint read_checkpoint(const fs::path& path) {
  const fs::path file = path / kStateFile;
  Checkpoint checkpoint;
  try {
    read_state(io::parse_json_object(read_small_file(file), file), path, checkpoint);
  } catch (const json::exception& failure) {
    throw WeightsError(str("'", file.string(), "': ", printable(failure.what())));
  } catch (const ConfigError& failure) {
    throw WeightsError(str("'", file.string(), "': ", failure.what()));
  }
  checkpoint.weights = io::read_safetensors(path / kWeightsFile);
  checkpoint.optimizer = io::read_safetensors(path / kOptimizerFile);
  return checkpoint;
}

}  // namespace leaf
