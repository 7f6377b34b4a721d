#include "leaf/data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "core/csv.h"
#include "data/registry.h"
#include "groups.h"
#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "manifest.h"
#include "nnunet_folds.h"
#include "volume_pairs.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// How many of `total` images a part asks for: a fraction below 1 or a count.
std::size_t wanted_count(double value, std::size_t total) {
  if (value == 0 || value >= 1) {  // more than there are, far more too, is refused where it is used
    return static_cast<std::size_t>(std::min(value, static_cast<double>(total)));
  }
  return static_cast<std::size_t>(std::max(1.0, std::round(value * static_cast<double>(total))));
}

struct Counts {
  std::size_t validation;
  std::size_t test;
};

Counts wanted_counts(const DataConfig& config, const PairList& list) {
  const std::size_t total = list.pairs.size();
  const bool own_test = !list.own_test.empty();
  const Counts counts{wanted_count(config.split.validation, total),
                      own_test ? 0 : wanted_count(config.split.test, total)};
  if (counts.validation + counts.test >= total) {
    throw DataError(str("no images are left to train on: '", config.root.string(), "' has ", total,
                        ", validation takes ", counts.validation, " and test ", counts.test,
                        "; lower SplitConfig::validation or SplitConfig::test"));
  }
  return counts;
}

/// Sorts the pairs into parts by a part for each.
SplitPairs gather(const std::vector<Pair>& pairs, const std::vector<Split>& parts) {
  SplitPairs result;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    switch (parts[i]) {
      case Split::kTrain:
        result.train.push_back(pairs[i]);
        break;
      case Split::kValidation:
        result.validation.push_back(pairs[i]);
        break;
      case Split::kTest:
        result.test.push_back(pairs[i]);
        break;
    }
  }
  return result;
}

/// The last `counts.test` places of `order` are the test part, those before them validation.
SplitPairs split_by_order(const std::vector<Pair>& pairs, const std::vector<std::size_t>& order,
                          Counts counts) {
  std::vector<Split> parts(pairs.size(), Split::kTrain);
  for (std::size_t back = 0; back < counts.test + counts.validation; ++back) {
    parts[order[order.size() - 1 - back]] = back < counts.test ? Split::kTest : Split::kValidation;
  }
  return gather(pairs, parts);
}

std::vector<std::size_t> list_order(std::size_t count) {
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) {
    order[i] = i;
  }
  return order;
}

SplitPairs split_by_groups(const std::vector<Pair>& pairs, const fs::path& file, Counts counts) {
  const auto groups = read_groups(file, pairs);
  std::vector<std::string> order;
  std::map<std::string, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto group = groups.find(pairs[i].name);
    if (group == groups.end()) {
      throw DataError(str("image '", pairs[i].name, "' has no group in '", file.string(),
                          "'; add a row for it (its name has no extension)"));
    }
    if (members[group->second].empty()) {
      order.push_back(group->second);
    }
    members[group->second].push_back(i);
  }
  std::vector<Split> parts(pairs.size(), Split::kTrain);
  for (const auto& [part, wanted] :
       {std::pair{Split::kTest, counts.test}, std::pair{Split::kValidation, counts.validation}}) {
    for (std::size_t taken = 0; taken < wanted && !order.empty(); order.pop_back()) {
      for (const std::size_t i : members[order.back()]) {
        parts[i] = part;
        ++taken;
      }
    }
  }
  return gather(pairs, parts);
}

SplitPairs split_as_published(const DataConfig& config, const PairList& list) {
  const PublishedProtocol& protocol = dataset_layout(config.dataset).published.value();
  if (!list.own_test.empty()) {
    return {list.pairs, list.own_test, list.own_test};
  }
  if (protocol.train == 1.0) {
    throw DataError(str("data set '", config.dataset, "' in '", config.root.string(),
                        "' lacks its own test part; use another SplitConfig::strategy"));
  }
  const auto total = static_cast<double>(list.pairs.size());
  constexpr double kRoundingRoom = 1e-9;  // 612 * (490 / 612) must not become 489
  const auto train = static_cast<std::ptrdiff_t>(total * protocol.train + kRoundingRoom);
  const auto unused = static_cast<std::ptrdiff_t>(total * protocol.unused + kRoundingRoom);
  const auto begin = list.pairs.begin();
  const std::vector<Pair> test(begin + train + unused, list.pairs.end());
  return {std::vector<Pair>(begin, begin + train), test, test};
}

void check_train_part(const SplitPairs& pairs, const DataConfig& config) {
  if (pairs.train.empty()) {
    throw DataError(str("no images are left to train on in '", config.root.string(),
                        "'; check DataConfig::split"));
  }
}

SplitPairs divide(const DataConfig& config, const PairList& list, std::uint64_t seed) {
  const std::size_t count = list.pairs.size();
  switch (config.split.strategy) {
    case SplitStrategy::kManifest:
      return split_by_manifest(config.split.manifest, config.root, list, Gone::kError);
    case SplitStrategy::kPublished:
      return split_as_published(config, list);
    case SplitStrategy::kRandom:
      return split_by_order(list.pairs, permutation(count, RandomStream(seed, Purpose::kSplit)),
                            wanted_counts(config, list));
    case SplitStrategy::kTail:
      return split_by_order(list.pairs, list_order(count), wanted_counts(config, list));
    case SplitStrategy::kNnunet:
      return split_by_fold(config.split.folds, config.split.fold, list.pairs);
    case SplitStrategy::kGroups:
      break;
  }
  return split_by_groups(list.pairs, config.split.groups, wanted_counts(config, list));
}

/// Volumes are divided as a whole, then cut.
SplitPairs cut_volumes(SplitPairs pairs, const DataConfig& config) {
  for (std::vector<Pair>* part : {&pairs.train, &pairs.validation, &pairs.test}) {
    *part = with_slices(*part, config.slice_axis);
  }
  return pairs;
}

std::string manifest_rows(const std::vector<Pair>& pairs, Split split, const fs::path& root) {
  std::string rows;
  for (const Pair& pair : pairs) {
    if (pair.slice.value_or(0) > 0) {
      continue;  // the volume has its row
    }
    rows += csv_row({pair.image.lexically_relative(root).generic_string(),
                     pair.mask.lexically_relative(root).generic_string(), enum_text(split)});
  }
  return rows;
}

}  // namespace

const std::vector<Pair>& SplitPairs::part(Split split) const {
  switch (split) {
    case Split::kTrain:
      return train;
    case Split::kValidation:
      return validation;
    case Split::kTest:
      break;
  }
  return test;
}

SplitPairs split_pairs(const DataConfig& config, std::uint64_t seed) {
  if (const auto problem = find_split_problem(config)) {
    throw ConfigError(problem->message);
  }
  const PairList list = list_pairs(config);
  SplitPairs result = divide(config, list, seed);
  if (config.split.strategy != SplitStrategy::kManifest && !list.own_test.empty()) {
    result.test = list.own_test;
  }
  check_train_part(result, config);
  return cut_volumes(std::move(result), config);
}

SplitPairs split_pairs_of_run(const DataConfig& config, const fs::path& split_csv) {
  SplitPairs result = split_by_manifest(split_csv, config.root, list_pairs(config), Gone::kLeftOut);
  check_train_part(result, config);
  result.present = result.train.size() + result.validation.size() + result.test.size();
  return cut_volumes(std::move(result), config);
}

bool holds_most_of(const fs::path& root, const fs::path& split_csv) {
  const auto rows = read_csv(split_csv);
  std::error_code none;
  const auto is_there = [&](const std::vector<std::string>& row) {  // image, mask, split
    return row.size() > 1 && fs::exists(root / row[0], none) && fs::exists(root / row[1], none);
  };
  const auto found = std::count_if(rows.begin(), rows.end(), is_there);
  return 2 * static_cast<std::size_t>(found) >= rows.size();
}

std::set<fs::path> learned_images(const fs::path& root, const fs::path& split_csv) {
  std::set<fs::path> images;
  for (const std::vector<std::string>& row : read_csv(split_csv)) {
    if (row.size() > 2 && row[2] == enum_text(Split::kTrain)) {
      images.insert((root / row[0]).lexically_normal());
    }
  }
  return images;
}

void write_split_csv(const fs::path& path, const SplitPairs& pairs, const fs::path& root) {
  std::string content = csv_row({"image", "mask", "split"});
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    content += manifest_rows(pairs.part(split), split, root);
  }
  write_file(path, content);
}

}  // namespace leaf::data
