#include "entries.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <system_error>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "variables.h"

namespace leaf::config {
namespace fs = std::filesystem;
namespace {

constexpr const char* kBase = "base";

std::string location(const fs::path& file, const YAML::Mark& mark) {
  return str(file.string(), ":", mark.line + 1);
}

/// Whether a line (counted from 0) is indented with a tab, as YAML forbids.
bool has_tab_indentation(const std::string& text, int line) {
  std::istringstream in(text);
  std::string content;
  for (int i = 0; i <= line; ++i) {
    std::getline(in, content);
  }
  return content.substr(0, content.find_first_not_of(" \t")).find('\t') != std::string::npos;
}

/// Reads one file, without its base.
class FileReader {
 public:
  FileReader(fs::path file, const std::vector<Field>& fields)
      : file_(std::move(file)), fields_(fields) {}

  std::vector<Entry> read() {
    const YAML::Node root = parse();
    if (!root.IsMap() && !root.IsNull()) {
      throw ConfigError(
          str(location(file_, root.Mark()), ": expects sections and keys, as in 'seed: 1'"));
    }
    read_section(root, "");
    return std::move(entries_);
  }

  /// The value of `base`, if the file has one.
  const std::optional<Entry>& base() const { return base_; }

 private:
  YAML::Node parse() const {
    const std::string text = read_small_file(file_);
    try {
      const std::vector<YAML::Node> documents = YAML::LoadAll(text);
      if (documents.size() > 1) {
        throw ConfigError(str(file_.string(), ": holds ", documents.size(),
                              " YAML documents (divided by ---); a configuration is one"));
      }
      return documents.empty() ? YAML::Node() : documents.front();
    } catch (const YAML::Exception& failure) {
      const std::string reason =
          has_tab_indentation(text, failure.mark.line)
              ? str("indented with a tab; tabs are not allowed in YAML, use spaces (", failure.msg,
                    ")")
              : "not valid YAML: " + failure.msg;
      throw ConfigError(str(location(file_, failure.mark), ": ", reason));
    }
  }

  void read_section(const YAML::Node& section, const std::string& name) {
    for (const auto& item : section) {
      const std::string where = location(file_, item.first.Mark());
      if (!item.first.IsScalar()) {
        throw ConfigError(str(where, ": a key must be a word"));
      }
      const std::string key = (name.empty() ? "" : name + ".") + item.first.Scalar();
      refuse_repetition(key, item.first.Mark());
      if (is_section(fields_, key)) {
        read_subsection(item.second, key, where);
      } else if (key == kBase) {
        base_ = make_entry(key, item.second, where, "a path");
      } else if (const Field* field = find_field(fields_, key)) {
        entries_.push_back(make_entry(key, item.second, where, field->expects));
      } else {
        throw ConfigError(str(where, ": ", unknown_key_message(fields_, key)));
      }
    }
  }

  void read_subsection(const YAML::Node& section, const std::string& key,
                       const std::string& where) {
    if (!section.IsMap() && !section.IsNull()) {
      throw ConfigError(str(where, ": '", key, "' is a section: put its keys below it, indented"));
    }
    read_section(section, key);
  }

  void refuse_repetition(const std::string& key, const YAML::Mark& mark) {
    const auto [first, is_new] = lines_.emplace(key, mark.line + 1);
    if (!is_new) {
      throw ConfigError(str(location(file_, mark), ": key '", key,
                            "' is given twice, first in line ", first->second, "; keep one"));
    }
  }

  Entry make_entry(const std::string& key, const YAML::Node& node, const std::string& where,
                   const std::string& expects) const {
    Value value{.items = {}, .is_list = node.IsSequence()};
    if (node.IsMap()) {
      throw ConfigError(str(where, ": ", key, " expects ", expects, ", not a section"));
    }
    if (!value.is_list) {
      value.items.push_back(node.IsNull() ? "" : node.Scalar());
    }
    for (const auto& item : node) {
      if (!item.IsScalar()) {
        throw ConfigError(str(where, ": ", key, " expects ", expects, ", not a list of lists"));
      }
      value.items.push_back(item.Scalar());
    }
    return {key, std::move(value), where, where, file_.parent_path()};
  }

  fs::path file_;
  const std::vector<Field>& fields_;
  std::vector<Entry> entries_;
  std::optional<Entry> base_;
  std::map<std::string, int> lines_;
};

/// One path for each file, where the file system tells.
fs::path settled_path(const fs::path& file) {
  std::error_code failure;
  const fs::path path = fs::weakly_canonical(file, failure);
  return failure ? file.lexically_normal() : path;
}

/// The file that `base` names.
fs::path base_file(const Entry& base, const std::vector<fs::path>& chain) {
  if (base.value.is_list || base.value.items.front().empty()) {
    throw ConfigError("base expects a path");
  }
  const Expanded name = expand_variables(base.value.items.front());
  const fs::path folder = name.starts_with_variable ? fs::path{} : base.folder;
  fs::path file = (folder / name.text).lexically_normal();
  if (std::find(chain.begin(), chain.end(), settled_path(file)) != chain.end()) {
    throw ConfigError(str("base '", name.text, "' leads back to itself; remove one of the two"));
  }
  if (std::error_code unknown; !fs::exists(file, unknown)) {
    throw ConfigError(str("base '", name.text, "' does not exist: no file ", file.string()));
  }
  return file;
}

std::vector<Entry> read_with_bases(const fs::path& file, const std::vector<Field>& fields,
                                   std::vector<fs::path> chain) {
  chain.push_back(settled_path(file));
  FileReader reader(file, fields);
  std::vector<Entry> own = reader.read();
  if (!reader.base()) {
    return own;
  }
  const Entry& base = *reader.base();
  const fs::path inherited = at_place(base.where, [&] { return base_file(base, chain); });
  std::vector<Entry> all = read_with_bases(inherited, fields, std::move(chain));
  all.insert(all.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
  return all;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  const auto last = text.find_last_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

/// "1,2,2" or "[1, 2, 2]".
std::vector<std::string> split_list(std::string text) {
  text = trimmed(text);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  std::vector<std::string> items;
  std::istringstream in(text);
  for (std::string item; std::getline(in, item, ',');) {
    items.push_back(trimmed(item));
  }
  return items;
}

}  // namespace

std::vector<Entry> read_entries(const fs::path& file, const std::vector<Field>& fields) {
  return read_with_bases(file, fields, {});
}

Entry parse_override(const std::string& text, const std::vector<Field>& fields) {
  const std::string where = str("--set ", text);
  const auto equals = text.find('=');
  if (equals == std::string::npos) {
    throw ConfigError(str(where, ": expects KEY=VALUE, as in --set train.learning_rate=1e-4"));
  }
  const std::string key = text.substr(0, equals);
  const Field* field = find_field(fields, key);
  if (field == nullptr && !key.empty() && is_section(fields, key)) {
    throw ConfigError(
        str(where, ": '", key, "' is a section: name one of its keys, as in ", key, ".KEY=VALUE"));
  }
  if (field == nullptr) {
    throw ConfigError(str(where, ": ", unknown_key_message(fields, key)));
  }
  const std::string given = text.substr(equals + 1);
  std::error_code unknown;
  const bool one_path = field->is_path && fs::exists(given, unknown);  // "a,b" or "[a]" may be one
  Value value = field->is_list && !one_path ? Value{split_list(given), true} : Value{{given}};
  return {key, std::move(value), where, "--set", {}};
}

}  // namespace leaf::config
