#include "leaf/config/load.h"

#include "config/check.h"
#include "entries.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "variables.h"

namespace leaf::config {
namespace fs = std::filesystem;
namespace {

/// `path` without relative parts; empty stays empty.
std::string absolute_path(const fs::path& folder, const fs::path& path) {
  if (path.empty()) {
    return {};
  }
  const fs::path full = fs::absolute(folder / path).lexically_normal();
  return (full.has_filename() ? full : full.parent_path()).string();
}

struct Prepared {
  Value value;
  std::string unset;  ///< see Expanded
};

/// Expands variables and makes paths absolute.
Prepared prepare(const Field& field, const Entry& entry) {
  std::string unset;
  Value value{.items = {}, .is_list = entry.value.is_list};
  for (const auto& item : entry.value.items) {
    const Expanded expanded = expand_variables(item);
    unset = expanded.unset;
    if (!field.is_path) {
      value.items.push_back(expanded.text);
      continue;
    }
    const fs::path folder = expanded.starts_with_variable ? fs::path{} : entry.folder;
    value.items.push_back(absolute_path(folder, expanded.text));
  }
  if (field.is_list && !value.is_list && value.items.front().empty()) {
    value.items.clear();  // "weights:" without a value
  }
  return {.value = value, .unset = unset};
}

void apply(const std::vector<Entry>& entries, const std::vector<Field>& fields, Resolved& resolved,
           std::map<std::string, std::string>& places) {
  for (const auto& entry : entries) {
    const Field& field = *find_field(fields, entry.key);
    const Prepared prepared = at_place(entry.where, [&] { return prepare(field, entry); });
    at_place(entry.where, [&] { assign(field, prepared.value, field.key); });
    resolved.unset_variables.erase(entry.key);
    if (!prepared.unset.empty()) {
      resolved.unset_variables[entry.key] = prepared.unset;
    }
    resolved.origins[entry.key] = entry.origin;
    places[entry.key] = entry.where;
  }
}

std::vector<Entry> all_entries(const fs::path& file, const std::vector<std::string>& overrides,
                               const std::vector<Field>& fields) {
  std::vector<Entry> entries;
  if (!file.empty()) {
    entries = read_entries(file, fields);
  }
  for (const auto& text : overrides) {
    entries.push_back(parse_override(text, fields));
  }
  return entries;
}

/// Default paths are relative to the current folder.
void complete_defaults(const std::vector<Field>& fields) {
  for (const auto& field : fields) {
    if (field.is_path && !field.is_list) {
      field.set({{absolute_path({}, field.get().items.front())}});
    }
  }
}

void refuse_problems(const Config& config, const std::map<std::string, std::string>& places) {
  const auto problem = find_problem(config);
  if (!problem) {
    return;
  }
  for (const auto& key : problem->keys) {
    if (const auto place = places.find(key); place != places.end()) {
      throw ConfigError(str(place->second, ": ", problem->message));
    }
  }
  throw ConfigError(problem->message);
}

}  // namespace

Resolved resolve(const fs::path& file, const std::vector<std::string>& overrides) {
  Resolved resolved;
  const std::vector<Field> fields = schema(resolved.config);
  for (const auto& field : fields) {
    resolved.origins[field.key] = "default";
  }
  complete_defaults(fields);
  std::map<std::string, std::string> places;
  apply(all_entries(file, overrides, fields), fields, resolved, places);

  auto& model = resolved.config.model;
  model.unet.in_channels = 2 * model.autoencoder.latent_channels;
  model.unet.out_channels = model.autoencoder.latent_channels;
  if (resolved.origins.at("data.classes") == "default") {
    const data::MaskClasses before = resolved.config.data.classes;
    data::take_stated_classes(resolved.config.data);
    if (resolved.config.data.classes != before) {
      resolved.origins["data.classes"] = "dataset.json";
    }
  }
  refuse_problems(resolved.config, places);
  resolved.warnings = find_oddities(resolved.config);
  return resolved;
}

Config load_config(const fs::path& file, const std::vector<std::string>& overrides) {
  return resolve(file, overrides).config;
}

}  // namespace leaf::config
