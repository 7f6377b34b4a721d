#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tiny_project.h"

namespace leaf::test {

/// Masks of project/INPUTS in project/OUTPUT.
inline Outcome infer(const TinyProject& project, const std::vector<std::string>& inputs,
                     const std::string& output, const std::vector<std::string>& more = {},
                     const std::string& model = "model") {
  std::vector<std::string> arguments{"--model", project.path(model), "--output",
                                     project.path(output), "--input"};
  for (const std::string& input : inputs) {
    arguments.push_back(project.path(input));
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_cpu("leaf_infer", arguments);
}

/// The lines of an audit.
inline std::vector<nlohmann::json> audit_records(const TinyProject& project,
                                                 const std::string& output) {
  std::vector<nlohmann::json> records;
  std::ifstream file(project / (output + "/audit.jsonl"));
  for (std::string line; std::getline(file, line);) {
    records.push_back(nlohmann::json::parse(line));
  }
  return records;
}

}  // namespace leaf::test
