#include "check_pairs.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/prefetcher.h"
#include "data/perceptual_hash.h"
#include "empty_masks.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/mask_census.h"
#include "split_leaks.h"

namespace leaf {
namespace {

/// A pair as it is trained on, or why it cannot be.
struct CheckedPair {
  std::int64_t foreground = 0;  ///< pixels
  std::int64_t pixels = 0;
  data::PictureHash hash{};
  std::string problem;
};

CheckedPair check_pair(const data::Dataset& dataset, std::size_t index) {
  try {
    const data::DecodedSample sample = dataset.decoded(index);
    const auto* begin = sample.mask.const_data_ptr<std::uint8_t>();
    return {.foreground = sample.mask.numel() -
                          std::count(begin, begin + sample.mask.numel(), std::uint8_t{0}),
            .pixels = sample.mask.numel(),
            .hash = data::perceptual_hash(sample.image),
            .problem = ""};
  } catch (const DataError& error) {
    return {.problem = error.what()};
  }
}

/// Every pair of a part, in its order; each is decoded once.
std::vector<CheckedPair> check_part(const data::Dataset& dataset) {
  Workers workers;
  Prefetcher<CheckedPair> pairs(workers, {.first = 0, .end = dataset.size()}, 2 * workers.count(),
                                [&](std::size_t i) { return check_pair(dataset, i); });
  std::vector<CheckedPair> checked;
  for (std::size_t i = 0; i < dataset.size(); ++i) {
    checked.push_back(pairs.next());
  }
  return checked;
}

/// Throws DataError where pairs cannot be used; the first of several are listed before.
void refuse(const std::vector<std::string>& problems, std::size_t pairs) {
  constexpr std::size_t kListed = 20;
  if (problems.size() == 1) {
    throw DataError(problems.front());
  }
  for (std::size_t i = 0; i < std::min(problems.size(), kListed); ++i) {
    log::error(problems[i]);
  }
  if (!problems.empty()) {
    throw DataError(
        str(problems.size(), " of ", pairs, " pairs cannot be used, ",
            problems.size() > kListed ? str("the first ", kListed, " of them listed") : "listed",
            " above; replace or remove their files"));
  }
}

/// The test pairs that are not validation pairs too, as the published protocol has them.
std::vector<data::Pair> pairs_of_test_alone(const data::SplitPairs& split) {
  std::set<std::filesystem::path> validation;
  for (const data::Pair& pair : split.validation) {
    validation.insert(pair.image);
  }
  std::vector<data::Pair> pairs = split.test;
  std::erase_if(pairs, [&](const data::Pair& pair) { return validation.contains(pair.image); });
  return pairs;
}

/// What is wrong with the pairs of the data set, and what is alike in them.
struct Report {
  data::MaskCensus masks;
  std::vector<std::string> problems;
  std::vector<DividedImage> images;
  std::size_t pairs = 0;

  std::vector<CheckedPair> add(const data::Dataset& dataset, data::Split part) {
    std::vector<CheckedPair> checked = check_part(dataset);
    masks.add(dataset.masks());
    for (std::size_t i = 0; i < checked.size(); ++i) {
      if (checked[i].problem.empty()) {
        images.push_back({dataset.pairs()[i], part, checked[i].hash});
      } else {
        problems.push_back(checked[i].problem);
      }
    }
    pairs += dataset.size();
    return checked;
  }
};

std::vector<std::string> find_leaks(const std::vector<DividedImage>& images,
                                    data::SplitStrategy strategy) {
  std::vector<std::string> warnings{near_duplicates_text(images)};
  if (strategy != data::SplitStrategy::kGroups) {
    warnings.push_back(divided_groups_text(images));
  }
  std::erase(warnings, "");
  return warnings;
}

}  // namespace

PairFindings check_pairs(const data::Dataset& train, const data::Dataset& validation,
                         const data::SplitPairs& split) {
  Report report;
  PairFindings findings;
  for (const CheckedPair& pair : report.add(train, data::Split::kTrain)) {
    findings.with_foreground += pair.foreground > 0 ? 1 : 0;
    findings.foreground += pair.foreground;
    findings.pixels += pair.pixels;
  }
  report.add(validation, data::Split::kValidation);
  data::DataConfig unkept = train.config();
  unkept.cache_mb = 0;
  report.add(data::Dataset(pairs_of_test_alone(split), unkept), data::Split::kTest);
  refuse(report.problems, report.pairs);
  train.masks().require_target();
  if (findings.foreground == 0) {
    throw DataError(empty_masks_text(train.size(), train));
  }
  report.masks.log_lines(/*borders=*/true);
  findings.split_warnings = find_leaks(report.images, train.config().split.strategy);
  return findings;
}

}  // namespace leaf
