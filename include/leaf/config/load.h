#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "leaf/config/config.h"

namespace leaf::config {

/// A complete configuration and where each value came from.
struct Resolved {
  Config config;
  /// Dotted key -> "default", "refuge.yaml:14" or "--set"; every key is there.
  std::map<std::string, std::string> origins;
  /// What is allowed but hardly meant, one line each ("validation.start_steps ... never
  /// validates").
  std::vector<std::string> warnings;
  /// Dotted key -> the environment variable that its value names and that is not set, so that the
  /// variable's default stands in.
  std::map<std::string, std::string> unset_variables;
};

/// Defaults, then `file` (after the file that its `base` names), then the overrides, each
/// KEY=VALUE; an empty `file` gives the defaults and the overrides alone. `${VAR}` and
/// `${VAR:-default}` are expanded; a path that is relative is taken from the folder of the file
/// that holds it, one from an override or from the start of a variable's value from the current
/// folder. Throws ConfigError, naming file and line, for unknown or repeated keys, values of the
/// wrong type or out of range, and everything check() refuses; throws FileError if the file cannot
/// be read.
Resolved resolve(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});

/// resolve().config.
Config load_config(const std::filesystem::path& file,
                   const std::vector<std::string>& overrides = {});

/// Throws ConfigError for values that cannot go together, each naming the keys and what to change.
void check(const Config& config);

/// The whole configuration as YAML that loads back to an equal one.
std::string dump_yaml(const Config& config);

/// The same with each value's origin as a comment.
std::string dump_with_origins(const Resolved& resolved);

/// The reference of all keys in Markdown: the content of docs/configuration.md.
std::string configuration_markdown();

}  // namespace leaf::config
