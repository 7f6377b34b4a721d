#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/schema.h"
#include "leaf/core/error.h"

namespace leaf::config {

/// One value that somebody gave, before its variables are expanded.
struct Entry {
  std::string key;
  Value value;
  /// For messages: "refuge.yaml:14" or "--set seed=1".
  std::string where;
  /// For people who ask where a value came from: "refuge.yaml:14" or "--set".
  std::string origin;
  /// What relative paths are relative to.
  std::filesystem::path folder;
};

/// Runs `action`; a ConfigError that it throws gets `where` in front.
template <typename Action>
auto at_place(const std::string& where, const Action& action) {
  try {
    return action();
  } catch (const ConfigError& failure) {
    throw ConfigError(where + ": " + failure.what());
  }
}

/// The values in a YAML file, those of its bases first.
std::vector<Entry> read_entries(const std::filesystem::path& file,
                                const std::vector<Field>& fields);

/// One KEY=VALUE of the command line.
Entry parse_override(const std::string& text, const std::vector<Field>& fields);

}  // namespace leaf::config
