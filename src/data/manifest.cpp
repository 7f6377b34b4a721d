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

void check_columns(const Row& row, const Place& place) {
  if (row.size() < 3) {
    fail(place, "expected image,mask,split");
  }
}

void check_mask(const Pair& pair, const Row& row, const fs::path& root, const Place& place) {
  const std::string mask = pair.mask.lexically_relative(root).generic_string();
  if (mask != row[1]) {
    fail(place, str("the mask of '", row[0], "' is '", mask, "', not '", row[1], "'"));
  }
}

/// Says what is not in the data set any more, or not in the file.
void report_changes(const std::string& manifest, std::size_t gone, std::size_t left_out,
                    const fs::path& root) {
  if (gone > 0) {
    log::warn(str("'", manifest, "' lists ", gone,
                  gone == 1 ? " image that is" : " images that are", " no longer in '",
                  root.string(), "'"));
  }
  if (left_out > 0) {
    log::warn(str("'", manifest, "' leaves out ", left_out, left_out == 1 ? " image" : " images",
                  " in '", root.string(), "'"));
  }
}

/// The images that have a part. An image may be scored in several parts, but one that is trained on
/// stands in no other row.
class UsedImages {
 public:
  void add(const std::string& image, bool trains, const Place& place) {
    if (training_.contains(image) || (trains && scored_.contains(image))) {
      fail(place, str("'", image, "' is listed for training and once more"));
    }
    (trains ? training_ : scored_).insert(image);
  }

  std::size_t size() const { return training_.size() + scored_.size(); }

 private:
  std::set<std::string> training_;
  std::set<std::string> scored_;
};

}  // namespace

SplitPairs split_by_manifest(const fs::path& manifest, const fs::path& root, const PairList& list,
                             Gone gone) {
  const PairsByImage known = index_by_image(list, root);
  const auto rows = read_csv(manifest);
  SplitPairs result;
  UsedImages used;
  for (std::size_t i = 1; i < rows.size(); ++i) {  // the first row names the columns
    const Place place{manifest.string(), i + 1};
    check_columns(rows[i], place);
    const std::string& image = rows[i][0];
    std::vector<Pair>& part = part_of(result, rows[i][2], place);
    if (const auto pair = known.find(image); pair != known.end()) {
      check_mask(pair->second, rows[i], root, place);
      used.add(image, &part == &result.train, place);
      part.push_back(pair->second);
    } else if (gone == Gone::kLeftOut) {
      ++result.absent;
    } else {
      fail(place, str("no image '", image, "' in '", root.string(), "'"));
    }
  }
  report_changes(manifest.string(), result.absent, known.size() - used.size(), root);
  return result;
}

}  // namespace leaf::data
