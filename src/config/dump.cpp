#include <algorithm>
#include <functional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"
#include "leaf/config/load.h"
#include "leaf/core/strings.h"
#include "variables.h"

namespace leaf::config {
namespace {

/// Words that YAML readers take for something else than a text; leaf's own reads them all as text.
bool is_special_word(const std::string& text) {
  const std::string lower = to_lower(text);
  return lower == "no" || lower == "yes" || lower == "on" || lower == "off" || lower == "null" ||
         lower == "y" || lower == "n" || lower == "~";
}

bool is_plain(const std::string& text) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  return text.find_first_of(kLetters) != std::string::npos && !is_special_word(text) &&
         text.find_first_not_of(str(kLetters, "_./+-")) == std::string::npos;
}

std::string scalar_text(const std::string& text) {
  if (is_plain(text)) {
    return text;
  }
  std::string quoted = "\"";
  for (const char c : escape_variables(text)) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      default:
        quoted += escaped({&c, 1});  // as YAML does
    }
  }
  return quoted + "\"";
}

std::string value_text(const Value& value) {
  if (!value.is_list) {
    return scalar_text(value.items.front());
  }
  std::vector<std::string> items;
  std::transform(value.items.begin(), value.items.end(), std::back_inserter(items), scalar_text);
  return str("[", join(items, ", "), "]");
}

std::vector<std::string> key_parts(const std::string& key) {
  std::vector<std::string> parts;
  std::istringstream in(key);
  for (std::string part; std::getline(in, part, '.');) {
    parts.push_back(part);
  }
  return parts;
}

/// Lines "key: value", nested by section, each followed by `comment(key)`.
std::string nested_yaml(const std::vector<Field>& fields,
                        const std::function<std::string(const std::string&)>& comment) {
  std::string out;
  std::vector<std::string> open;
  for (const auto& field : fields) {
    const std::vector<std::string> parts = key_parts(field.key);
    const auto same = std::mismatch(open.begin(), open.end(), parts.begin(), parts.end() - 1);
    auto depth = static_cast<std::size_t>(same.first - open.begin());
    open.assign(parts.begin(), parts.end() - 1);
    for (; depth < open.size(); ++depth) {
      out += str(std::string(2 * depth, ' '), open[depth], ":\n");
    }
    out += str(std::string(2 * depth, ' '), parts.back(), ": ", value_text(field.get()),
               comment(field.key), "\n");
  }
  return out;
}

std::string section_of(const std::string& key) {
  const auto dot = key.find('.');
  return dot == std::string::npos ? "" : key.substr(0, dot);
}

constexpr std::string_view kIntroduction = R"(# Configuration

<!-- Written by configuration_markdown() from the keys declared in src/config/schema*.cpp; a test compares
     this file with it. After a change there: LEAF_UPDATE_DOCS=1 build/cpu/tests/unit_config -->

A configuration is a YAML file. Every key has a default, the paper's value where the paper has one for all data
sets, so a file holds only what differs. `leaf_train --config FILE --print-config` shows the complete result and where each value came
from; the values are saved as `config.yaml` in the run folder.

- `--set KEY=VALUE` on the command line wins over the file: `--set train.learning_rate=1e-4`. Lists are
  written `1,2,2` or `[1,2,2]`.
- `base: other.yaml` at the top of a file takes over all values of another file; the file's own values win.
- Relative paths are relative to the file that holds them, those of `--set` to the current folder.
- `${VAR}` is replaced by the environment variable, `${VAR:-text}` by `text` where the variable is not set
  or empty. A path that begins with a variable whose value is relative is relative to the current folder.
  `$${` stands for a literal `${`.
- Unknown keys, repeated keys, wrong types, values out of range and combinations that cannot work are
  errors that name file and line.
- A run that is resumed may change the keys that are marked with \*. All others have to do with what was learned or
  how it is scored: `leaf_train --resume` refuses another value unless `--allow-changes` is given too.
- The U-Net's channels are not keys: 2 * `model.autoencoder.latent_channels` go in, `model.autoencoder.latent_channels` come out.
)";

}  // namespace

std::string dump_yaml(const Config& config) {
  Config copy = config;
  return nested_yaml(schema(copy), [](const std::string&) { return std::string{}; });
}

std::string dump_with_origins(const Resolved& resolved) {
  Config copy = resolved.config;
  return nested_yaml(schema(copy),
                     [&](const std::string& key) { return str("  # ", resolved.origins.at(key)); });
}

std::string configuration_markdown() {
  Config defaults;
  std::string out(kIntroduction);
  std::string section = "none yet";
  for (const auto& field : schema(defaults)) {
    if (section_of(field.key) != section) {
      section = section_of(field.key);
      out += str("\n## ", section.empty() ? "Top level" : str("`", section, "`"),
                 "\n\n| key | default | expects | meaning |\n| --- | --- | --- | --- |\n");
    }
    const Value value = field.get();
    const bool is_empty = !value.is_list && value.items.front().empty();
    out += str("| `", field.key, "` | ", is_empty ? "" : str("`", value_text(value), "`"), " | ",
               field.expects, " | ", field.help, field.is_harmless ? " \\*" : "", " |\n");
  }
  return out;
}

}  // namespace leaf::config
