#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/csv.h"
#include "leaf/core/files.h"
#include "support/json_schema.h"
#include "support/text.h"
#include "tiny_project.h"

namespace leaf::test {

/// Scores the model of a project.
inline Outcome eval_model(const TinyProject& project, const std::string& output,
                          const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"--model",  project.path("model"),
                                     "--config", project.path("config.yaml"),
                                     "--output", project.path(output)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_cpu("leaf_eval", arguments);
}

/// Scores predicted/ against truth/.
inline Outcome eval_masks(const TinyProject& project, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments{"--predictions",  project.path("predicted"),
                                     "--ground-truth", project.path("truth"),
                                     "--output",       project.path("eval")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_cpu("leaf_eval", arguments);
}

/// Column `column` of a scores.csv, without its header.
inline std::vector<std::string> column(const std::filesystem::path& path, std::size_t index) {
  std::vector<std::string> values;
  const auto rows = read_csv(path);
  for (std::size_t i = 1; i < rows.size(); ++i) {
    values.push_back(rows[i].at(index));
  }
  return values;
}

inline std::vector<std::string> named_column(const std::filesystem::path& path,
                                             const std::string& name) {
  const auto header = read_csv(path).front();
  const auto found = std::find(header.begin(), header.end(), name);
  EXPECT_NE(found, header.end()) << name;
  return column(path, static_cast<std::size_t>(found - header.begin()));
}

inline void expect_schema(const nlohmann::ordered_json& summary) {
  const JsonSchema schema(nlohmann::ordered_json::parse(
      read_file(std::string(LEAF_SOURCE_DIR) + "/docs/schemas/summary.schema.json")));
  EXPECT_EQ(schema.faults(summary), JsonSchema::Faults{});
}

}  // namespace leaf::test
