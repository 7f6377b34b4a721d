#include "nnunet_folds.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "nnunet_dataset.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

[[noreturn]] void fail(const fs::path& file, const std::string& reason) {
  throw DataError(str("'", file.string(), "': ", reason));
}

Json read_fold(const fs::path& file, std::int64_t fold) {
  const Json folds = Json::parse(read_small_file(file), nullptr, /*allow_exceptions=*/false);
  if (!folds.is_array() || folds.empty()) {
    fail(file, "no list of folds, as nnU-Net's splits_final.json is");
  }
  if (fold >= static_cast<std::int64_t>(folds.size())) {
    throw ConfigError(str("SplitConfig::fold ", fold, ": '", file.string(), "' has the folds 0 to ",
                          folds.size() - 1));
  }
  return folds[static_cast<std::size_t>(fold)];
}

std::vector<std::string> names_of(const Json& fold, const char* part, const fs::path& file) {
  const auto found = fold.is_object() ? fold.find(part) : fold.end();
  if (!fold.is_object() || found == fold.end() || !found->is_array()) {
    fail(file, str("a fold has no list '", part, "'"));
  }
  std::vector<std::string> names;
  for (const Json& name : *found) {
    if (!name.is_string()) {
      fail(file, str("'", part, "' has something that is no name"));
    }
    names.push_back(name.get<std::string>());
  }
  return names;
}

using PairsByName = std::map<std::string, Pair>;

std::vector<Pair> pairs_of(const std::vector<std::string>& names, const PairsByName& known,
                           std::set<std::string>& used, const fs::path& file) {
  std::vector<Pair> pairs;
  for (const std::string& name : names) {
    auto found = known.find(name);
    if (found == known.end()) {
      found = known.find(name + std::string(kFirstChannel));
    }
    if (found == known.end()) {
      fail(file, str("there is no image '", name, "'; check DataConfig::root"));
    }
    if (!used.insert(found->first).second) {
      fail(file, str("'", name, "' is listed twice in a fold"));
    }
    pairs.push_back(found->second);
  }
  return pairs;
}

}  // namespace

SplitPairs split_by_fold(const fs::path& file, std::int64_t fold, const std::vector<Pair>& pairs) {
  const Json parts = read_fold(file, fold);
  PairsByName known;
  for (const Pair& pair : pairs) {
    known.emplace(pair.name, pair);
  }
  std::set<std::string> used;
  SplitPairs result;
  result.train = pairs_of(names_of(parts, "train", file), known, used, file);
  result.validation = pairs_of(names_of(parts, "val", file), known, used, file);
  if (used.size() < known.size()) {
    log::warn(str("'", file.string(), "' leaves out ", known.size() - used.size(), " of ",
                  known.size(), " images"));
  }
  return result;
}

}  // namespace leaf::data
