#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>

#include "config/schema.h"
#include "core/sha256.h"
#include "leaf/config/experiment.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace fs = std::filesystem;
namespace {

/// Keys that a run may change and go on, but that decide what it learns or which step is its best.
bool decides(const std::string& key) {
  static const std::set<std::string> keys{"train.max_train_steps", "validation.steps",
                                          "validation.start_steps"};
  return keys.contains(key);
}

/// Everything that a run's result follows from, as text.
std::string identity(Config config) {
  std::string text;
  for (const Field& field : schema(config)) {
    if (!field.is_harmless || decides(field.key)) {
      text += str(field.key, "=", join(field.get().items, "\n"), "\n");
    }
  }
  return text;
}

/// A column's name as part of a folder's.
std::string folder_name(const std::string& name) {
  std::string text;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    text += std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '-';
  }
  return text;
}

/// What an experiment states in a way of its own.
void refuse_own_keys(const std::vector<std::string>& overrides) {
  for (const std::string& override_text : overrides) {
    for (const auto& [key, own] : {std::pair("seed=", "seeds"), {"output.dir=", "output"}}) {
      if (override_text.starts_with(key)) {
        throw ConfigError(str("'", override_text, "' does not go with an experiment, which has '",
                              own, "' for it"));
      }
    }
  }
}

}  // namespace

std::vector<ExperimentCell> cells_of(const Experiment& experiment,
                                     const std::vector<std::string>& more_overrides) {
  constexpr std::size_t kDigits = 10;
  std::vector<ExperimentCell> cells;
  std::map<fs::path, fs::path> roots;  // of the data, by the run's folder
  for (std::size_t column = 0; column < experiment.columns.size(); ++column) {
    for (std::size_t row = 0; row < experiment.rows.size(); ++row) {
      for (const std::uint64_t seed : experiment.seeds) {
        ExperimentCell cell{.row = row,
                            .column = column,
                            .seed = seed,
                            .config = experiment.columns[column].config,
                            .overrides = experiment.overrides,
                            .folder = {}};
        for (const auto* more : {&experiment.rows[row].overrides, &more_overrides}) {
          cell.overrides.insert(cell.overrides.end(), more->begin(), more->end());
        }
        refuse_own_keys(cell.overrides);
        cell.overrides.push_back(str("seed=", seed));
        const Config config = load_config(cell.config, cell.overrides);
        const std::string hash = sha256(identity(config));
        cell.folder =
            experiment.output / "runs" /
            str(folder_name(experiment.columns[column].name), "-", hash.substr(0, kDigits));
        if (roots.emplace(cell.folder, config.data.root).first->second != config.data.root) {
          throw ConfigError(
              str("two runs differ in data.root alone, '", roots[cell.folder].string(), "' and '",
                  config.data.root.string(),
                  "', by which runs are not told apart; give columns of other names"));
        }
        cell.overrides.push_back(str("output.dir=", cell.folder.string()));
        cells.push_back(std::move(cell));
      }
    }
  }
  return cells;
}

}  // namespace leaf::config
