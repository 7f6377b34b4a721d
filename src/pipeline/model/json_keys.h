#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "config/schema.h"
#include "leaf/config/config.h"

namespace leaf {

/// A value of a JSON file and the configuration key whose rules it follows (docs/configuration.md).
struct JsonKey {
  const char* name;
  const char* key;
  bool required = false;
};

/// A JSON value as a configuration has it, for the field that takes it.
config::Value value_of(const nlohmann::json& content, const config::Field& field);

/// Puts the values of a JSON object into the members of `config` that their keys stand for; those
/// that are not there keep what they have. Throws WeightsError for one that is required and
/// missing, ConfigError for one of the wrong type or out of range; both name it.
void read_keys(const nlohmann::json& content, std::span<const JsonKey> keys, Config& config);

/// A value that is as it is everywhere in what we support.
struct FixedValue {
  const char* name;
  nlohmann::json value;
};

/// Throws WeightsError for a value that is there and another.
void require_fixed(const nlohmann::json& content, const std::vector<FixedValue>& fixed);

}  // namespace leaf
