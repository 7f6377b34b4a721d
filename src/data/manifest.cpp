#include "manifest.h"

#include <map>
#include <set>

#include "leaf/core/csv.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

using Row = std::vector<std::string>;

struct Place {
  std::string file;
  std::size_t row;
};

[[noreturn]] void fail(const Place& place, const std::string& reason) {
  throw DataError(str("'", place.file, "' row ", place.row, ": ", reason));
}

std::vector<Pair>& part_of(SplitPairs& pairs, const std::string& word, const Place& place) {
  if (word == enum_text(Split::kTrain)) {
    return pairs.train;
  }
  if (word == enum_text(Split::kValidation)) {
    return pairs.validation;
  }
  if (word == enum_text(Split::kTest)) {
    return pairs.test;
  }
  fail(place, str("unknown split '", word, "'", did_you_mean(word, {"train", "validation", "test"}),
                  "; use train, validation or test"));
}

using PairsByImage = std::map<std::string, Pair>;

PairsByImage index_by_image(const PairList& list, const fs::path& root) {
  PairsByImage result;
  for (const std::vector<Pair>* part : {&list.pairs, &list.own_test}) {
    for (const Pair& pair : *part) {
      result.emplace(pair.image.lexically_relative(root).generic_string(), pair);
    }
  }
  return result;
}

const Pair& find_pair(const PairsByImage& known, const Row& row, const fs::path& root,
                      const Place& place) {
  if (row.size() < 3) {
    fail(place, "expected image,mask,split");
  }
  const auto pair = known.find(row[0]);
  if (pair == known.end()) {
    fail(place, str("no image '", row[0], "' in '", root.string(), "'"));
  }
  const std::string mask = pair->second.mask.lexically_relative(root).generic_string();
  if (mask != row[1]) {
    fail(place, str("the mask of '", row[0], "' is '", mask, "', not '", row[1], "'"));
  }
  return pair->second;
}

}  // namespace

SplitPairs split_by_manifest(const DataConfig& config, const PairList& list) {
  if (config.split.manifest.empty()) {
    throw ConfigError("data.split.manifest is not set; strategy 'manifest' needs a split.csv");
  }
  const PairsByImage known = index_by_image(list, config.root);
  const auto rows = read_csv(config.split.manifest);
  SplitPairs result;
  std::set<std::string> training;
  std::set<std::string> scored;
  for (std::size_t i = 1; i < rows.size(); ++i) {  // the first row names the columns
    const Place place{config.split.manifest.string(), i + 1};
    const Pair& pair = find_pair(known, rows[i], config.root, place);
    std::vector<Pair>& part = part_of(result, rows[i][2], place);
    const bool trains = &part == &result.train;
    if ((trains ? !training.insert(rows[i][0]).second : training.contains(rows[i][0])) ||
        (trains && scored.contains(rows[i][0]))) {
      fail(place, str("'", rows[i][0], "' is listed for training and once more"));
    }
    if (!trains) {
      scored.insert(rows[i][0]);
    }
    part.push_back(pair);
  }
  training.merge(scored);
  if (training.size() < known.size()) {
    log::warn(str("'", config.split.manifest.string(), "' leaves out ",
                  known.size() - training.size(), " of the ", known.size(), " images in '",
                  config.root.string(), "'"));
  }
  return result;
}

}  // namespace leaf::data
