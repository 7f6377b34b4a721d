#include "manifest.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/csv.h"
#include "core/look_alike.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

using Row = std::vector<std::string>;

struct Place {
  std::string file;
  std::size_t line;
};

[[noreturn]] void fail(const Place& place, const std::string& reason) {
  throw DataError(str("'", place.file, "' line ", place.line, ": ", reason));
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
/// stands in no other row, and none stands twice in one part.
class UsedImages {
 public:
  void add(const std::string& image, const std::string& part, const Place& place) {
    const std::string training = enum_text(Split::kTrain);
    std::map<std::string, std::size_t>& lines = lines_[image];
    for (const auto& [other, line] : lines) {
      if (other == part || other == training || part == training) {
        fail(place, str("'", image, "' is listed for ", part, ", but for ", other, " in line ",
                        line, " already; keep one of the two"));
      }
    }
    lines.emplace(part, place.line);
  }

  std::size_t size() const { return lines_.size(); }

 private:
  std::map<std::string, std::map<std::string, std::size_t>> lines_;
};

/// Says that the data set has an image of a name that people take for the same.
std::string alike_text(const PairsByImage& known, const std::string& image) {
  const std::string key = look_alike_key(image);
  for (const auto& [name, pair] : known) {
    if (look_alike_key(name) == key) {
      return str("; '", name, "' there differs in upper and lower case or in Unicode's form alone");
    }
  }
  return "";
}

}  // namespace

SplitPairs split_by_manifest(const fs::path& manifest, const fs::path& root, const PairList& list,
                             Gone gone) {
  const PairsByImage known = index_by_image(list, root);
  SplitPairs result;
  UsedImages used;
  for (const TableRow& row : read_table(manifest, {{"image", "mask", "split"}}).rows) {
    const Place place{manifest.string(), row.line};
    const std::string& image = row.fields[0];
    std::vector<Pair>& part = part_of(result, row.fields[2], place);
    if (const auto pair = known.find(image); pair != known.end()) {
      check_mask(pair->second, row.fields, root, place);
      used.add(image, row.fields[2], place);
      part.push_back(pair->second);
    } else if (gone == Gone::kLeftOut) {
      ++result.absent;
    } else {
      fail(place, str("no image '", image, "' in '", root.string(), "'", alike_text(known, image)));
    }
  }
  report_changes(manifest.string(), result.absent, known.size() - used.size(), root);
  return result;
}

}  // namespace leaf::data
