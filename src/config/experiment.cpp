#include "leaf/config/experiment.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "config/schema.h"
#include "config/variables.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace fs = std::filesystem;
namespace {

/// What is wrong with a node is said with its place.
class Reader {
 public:
  explicit Reader(fs::path file) : file_(std::move(file)) {}

  using Keys = std::vector<std::pair<std::string, std::function<void(const YAML::Node&)>>>;

  YAML::Node parse() const {
    try {
      return YAML::Load(read_small_file(file_));
    } catch (const YAML::Exception& failure) {
      throw ConfigError(
          str(file_.string(), ":", failure.mark.line + 1, ": not valid YAML: ", failure.msg));
    }
  }

  [[noreturn]] void fail(const YAML::Node& node, const std::string& reason) const {
    throw ConfigError(str(file_.string(), ":", node.Mark().line + 1, ": ", reason));
  }

  /// Gives every value of a section to the function of its key.
  void read(const YAML::Node& section, const std::string& name, const Keys& keys) const {
    if (!section.IsMap()) {
      fail(section, str(name, " expects keys and values"));
    }
    std::set<std::string> seen;
    for (const auto& item : section) {
      const std::string key = new_key(item.first, "a key", seen);
      const auto known = std::find_if(keys.begin(), keys.end(),
                                      [&](const auto& entry) { return entry.first == key; });
      if (known == keys.end()) {
        std::vector<std::string> names;
        for (const auto& entry : keys) {
          names.push_back(entry.first);
        }
        const std::set<std::string> trains{"base", "task", "model", "data", "train"};
        fail(item.first, str("unknown key '", key, "' in ", name,
                             trains.contains(key) ? "; this is a configuration of leaf_train"
                                                  : did_you_mean(key, names)));
      }
      known->second(item.second);
    }
  }

  /// A key that is not there yet.
  std::string new_key(const YAML::Node& node, const std::string& name,
                      std::set<std::string>& seen) const {
    std::string key = text(node, name);
    if (!seen.insert(key).second) {
      fail(node, str("key '", key, "' is there twice"));
    }
    return key;
  }

  std::string text(const YAML::Node& node, const std::string& name) const {
    if (!node.IsScalar()) {
      fail(node, str(name, " expects a text"));
    }
    return node.Scalar();
  }

  std::vector<std::string> texts(const YAML::Node& node, const std::string& name) const {
    if (!node.IsSequence()) {
      return {text(node, name)};
    }
    std::vector<std::string> all;
    for (const auto& item : node) {
      all.push_back(text(item, name));
    }
    return all;
  }

  template <typename Number>
  Number number(const YAML::Node& node, const std::string& name) const {
    Number value{};
    const std::string digits = text(node, name);
    const char* end = digits.data() + digits.size();
    const auto [stop, failure] = std::from_chars(digits.data(), end, value);
    if (failure != std::errc{} || stop != end || value < Number{}) {
      fail(node, str(name, " expects whole numbers >= 0"));
    }
    return value;
  }

  /// A section of configuration keys as overrides, their paths as in a configuration file.
  std::vector<std::string> overrides(const YAML::Node& node, const std::string& name) const {
    if (!node.IsMap()) {
      fail(node, str(name, " expects configuration keys, as in 'train.learning_rate: 1e-4'"));
    }
    Config config;
    const std::vector<Field> fields = schema(config);
    std::vector<std::string> all;
    std::set<std::string> seen;
    for (const auto& item : node) {
      const std::string key = new_key(item.first, name, seen);
      std::vector<std::string> values = texts(item.second, name);
      if (const Field* field = find_field(fields, key); field != nullptr && field->is_path) {
        std::transform(values.begin(), values.end(), values.begin(),
                       [this](const std::string& value) { return full_path(value); });
      }
      all.push_back(str(key, "=", join(values, ",")));
    }
    return all;
  }

  fs::path path(const YAML::Node& node, const std::string& name) const {
    return (file_.parent_path() / expand_variables(text(node, name)).text).lexically_normal();
  }

 private:
  /// Relative to the file, unless it begins with a variable's value; a value of --set is relative
  /// to the current folder.
  std::string full_path(const std::string& value) const {
    const Expanded expanded = expand_variables(value);
    if (expanded.text.empty() || expanded.starts_with_variable) {
      return value;
    }
    return escape_variables(
        fs::absolute(file_.parent_path() / expanded.text).lexically_normal().string());
  }

  fs::path file_;
};

ExperimentColumn read_column(const Reader& reader, const YAML::Node& node, bool small) {
  ExperimentColumn column;
  fs::path of_small;
  reader.read(node, "columns",
              {{"name", [&](const auto& n) { column.name = reader.text(n, "name"); }},
               {"config", [&](const auto& n) { column.config = reader.path(n, "config"); }},
               {"small", [&](const auto& n) { of_small = reader.path(n, "small"); }}});
  if (column.name.empty() || column.config.empty()) {
    reader.fail(node, "a column needs a name and a config");
  }
  if (small && of_small.empty()) {
    reader.fail(node, str("column '", column.name, "' has no small configuration"));
  }
  column.config = small ? of_small : column.config;
  return column;
}

ExperimentRow read_row(const Reader& reader, const YAML::Node& node) {
  ExperimentRow row;
  reader.read(node, "rows",
              {{"name", [&](const auto& n) { row.name = reader.text(n, "name"); }},
               {"set", [&](const auto& n) { row.overrides = reader.overrides(n, "set"); }},
               {"published", [&](const auto& n) {
                  for (const auto& item : n) {
                    row.published[reader.text(item.first, "published")] =
                        reader.texts(item.second, "published");
                  }
                }}});
  if (row.name.empty()) {
    reader.fail(node, "a row needs a name");
  }
  return row;
}

void read_statistic(const Reader& reader, const YAML::Node& node, Statistic& statistic) {
  try {
    statistic = parse_enum<Statistic>(reader.text(node, "statistic"), "statistic");
  } catch (const ConfigError& failure) {
    reader.fail(node, failure.what());
  }
}

std::vector<std::uint64_t> read_seeds(const Reader& reader, const YAML::Node& node) {
  std::vector<std::uint64_t> seeds;
  if (node.IsScalar()) {
    return {reader.number<std::uint64_t>(node, "seeds")};
  }
  for (const auto& item : node) {
    const auto seed = reader.number<std::uint64_t>(item, "seeds");
    if (std::find(seeds.begin(), seeds.end(), seed) != seeds.end()) {
      reader.fail(node, str("seed ", seed, " is there twice"));
    }
    seeds.push_back(seed);
  }
  return seeds;
}

/// Metrics are those that a configuration may choose models by.
std::vector<std::string> read_metrics(const Reader& reader, const YAML::Node& node) {
  Config config;
  const std::vector<Field> fields = schema(config);
  const Field* field = find_field(fields, "validation.best_metric");
  std::vector<std::string> metrics = reader.texts(node, "metrics");
  for (const std::string& metric : metrics) {
    try {
      assign(*field, {.items = {metric}}, "metrics");
    } catch (const ConfigError& failure) {
      reader.fail(node, failure.what());
    }
  }
  return metrics;
}

std::string read_split(const Reader& reader, const YAML::Node& node) {
  std::string split = reader.text(node, "split");
  if (const std::set<std::string> parts{"train", "validation", "test"}; !parts.contains(split)) {
    reader.fail(node, str("split '", split, "' is not one of train, validation, test"));
  }
  return split;
}

/// `row`, the node of the row in the file.
void check_published(const Reader& reader, const YAML::Node& row, const Experiment& experiment,
                     const std::map<std::string, std::vector<std::string>>& published) {
  for (const auto& [column, values] : published) {
    const bool is_column =
        std::any_of(experiment.columns.begin(), experiment.columns.end(),
                    [&name = column](const auto& entry) { return entry.name == name; });
    if (!is_column || values.size() != experiment.metrics.size()) {
      reader.fail(row["published"], "published needs the name of a column and a number per metric");
    }
  }
}

void check(const Reader& reader, const YAML::Node& root, const Experiment& experiment) {
  if (experiment.output.empty() || experiment.columns.empty() || experiment.rows.empty() ||
      experiment.seeds.empty() || experiment.metrics.empty()) {
    reader.fail(root, "an experiment needs output, metrics, seeds, columns and rows");
  }
  if (experiment.noise_seeds < 1 || experiment.noise_seeds > 1000) {
    reader.fail(root["noise_seeds"] ? root["noise_seeds"] : root,
                "noise_seeds is a number from 1 to 1000");
  }
  if (experiment.statistic == Statistic::kNoiseDeviation && experiment.noise_seeds < 2) {
    reader.fail(root["statistic"], "statistic noise_deviation needs noise_seeds: 2 or more");
  }
  for (std::size_t row = 0; row < experiment.rows.size(); ++row) {
    check_published(reader, root["rows"][row], experiment, experiment.rows[row].published);
  }
}

Experiment read_experiment(const fs::path& file, bool small) {
  const Reader reader(file);
  const YAML::Node root = reader.parse();
  Experiment e;
  const Reader::Keys of_small{
      {"seeds", [&](const auto& n) { e.seeds = read_seeds(reader, n); }},
      {"noise_seeds",
       [&](const auto& n) { e.noise_seeds = reader.number<std::int64_t>(n, "noise_seeds"); }},
      {"split", [&](const auto& n) { e.split = read_split(reader, n); }},
      {"set", [&](const auto& n) { e.overrides = reader.overrides(n, "set"); }}};
  Reader::Keys keys = of_small;
  keys.insert(
      keys.end(),
      {{"title", [&](const auto& n) { e.title = reader.text(n, "title"); }},
       {"output", [&](const auto& n) { e.output = fs::absolute(reader.path(n, "output")); }},
       {"metrics", [&](const auto& n) { e.metrics = read_metrics(reader, n); }},
       {"statistic", [&](const auto& n) { read_statistic(reader, n, e.statistic); }},
       {"columns",
        [&](const auto& n) {
          for (const auto& item : n) {
            e.columns.push_back(read_column(reader, item, small));
          }
        }},
       {"rows",
        [&](const auto& n) {
          for (const auto& item : n) {
            e.rows.push_back(read_row(reader, item));
          }
        }},
       {"small", [](const auto&) {}}});
  reader.read(root, "the experiment", keys);
  if (small && root["small"]) {
    reader.read(root["small"], "small", of_small);
  }
  check(reader, root, e);
  return e;
}

}  // namespace

Experiment load_experiment(const fs::path& file, bool small) {
  try {
    return read_experiment(file, small);
  } catch (const YAML::Exception& failure) {  // a list where a map belongs, say
    throw ConfigError(str("'", file.string(), "' has not the form of an experiment: ", failure.msg,
                          "; compare docs/experiments.md"));
  }
}

}  // namespace leaf::config
