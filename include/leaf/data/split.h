#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <vector>

#include "leaf/data/data_config.h"
#include "leaf/data/pair.h"

namespace leaf::data {

/// Empty validation and test parts are allowed; an empty train part never is.
struct SplitPairs {
  std::vector<Pair> train;
  std::vector<Pair> validation;
  std::vector<Pair> test;
  /// Images that a run's split.csv lists and that are not there.
  std::size_t absent = 0;
  /// And those that are there; a volume is one row.
  std::size_t present = 0;

  const std::vector<Pair>& part(Split split) const;
};

/// Finds the pairs of a data set (list_pairs) and divides them as config.split says. A volume is
/// one image that is divided with all of its slices, into which it is cut then. Deterministic: the
/// lists are in natural order, and kRandom's shuffle depends on `seed` and the count alone.
///
/// Where the data set has a test part of its own, that is the test part (split.test is not used)
/// and only validation is taken out of the rest. A fraction is rounded, but takes at least one
/// image.
///   kRandom    a seeded choice; within a part the list's order is kept
///   kTail      the first images train, then validation, then test
///   kGroups    walking back from the last group (groups in order of their first image), whole
///              groups go to the test part until it is large enough, then to validation
///   kManifest  as the file says (read by relative image path); images that it leaves out are left
///              out with a warning
///   kPublished validation = test, as the published code has it: CVC-ClinicDB the first 490 and
///              last 60 of 612 (in proportion for other counts; 62 between them are unused), ISIC
///              2018 the first 70 % and the rest, QaTa-COV19 and REFUGE2 all of the train part and
///              their own test part (or, when that is missing, a DataError)
///   kNnunet    a fold of nnU-Net's splits_final.json, which has no test part
/// Throws ConfigError for values that cannot be, DataError for files that do not fit or an empty
/// train part.
SplitPairs split_pairs(const DataConfig& config, std::uint64_t seed);

/// The parts that a run's split.csv states, for whoever continues or scores that run: divided anew,
/// images that it has learned from could move into the parts that judge it. Images that are gone
/// or new are left out with a warning. Errors as with kManifest.
SplitPairs split_pairs_of_run(const DataConfig& config, const std::filesystem::path& split_csv);

/// Whether half or more of the images and masks that a run's split.csv names are below `root`: its
/// data set has moved. Throws DataError where the file cannot be read.
bool holds_most_of(const std::filesystem::path& root, const std::filesystem::path& split_csv);

/// The images below `root` of the train part in a run's split.csv. Throws DataError likewise.
std::set<std::filesystem::path> learned_images(const std::filesystem::path& root,
                                               const std::filesystem::path& split_csv);

/// Writes the manifest (columns image,mask,split; paths relative to `root`; a row for a whole
/// volume), atomically.
void write_split_csv(const std::filesystem::path& path, const SplitPairs& pairs,
                     const std::filesystem::path& root);

}  // namespace leaf::data
