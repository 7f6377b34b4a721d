#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "core/csv.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/strata.h"
#include "leaf/metrics/tables.h"

namespace leaf::metrics {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::vector<std::string>>;

/// "a/b.png" -> "a/b"; a dot that no file type follows belongs to the name.
std::string without_extension(const std::string& name) {
  static constexpr std::array kTypes{".png", ".jpg",  ".jpeg", ".tif",    ".tiff",
                                     ".bmp", ".webp", ".dcm",  ".nii.gz", ".nii"};
  const std::string lower = to_lower(name);
  const auto type =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const char* t) { return lower.ends_with(t); });
  return type == kTypes.end() ? name : name.substr(0, name.size() - std::string(*type).size());
}

std::string last_part(const std::string& name) { return fs::path(name).filename().string(); }

std::size_t column_of(const Rows& rows, const std::string& name, const std::string& path) {
  const std::vector<std::string>& header = rows.front();
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) {
    throw DataError(str("'", path, "' has no column '", name, "'", did_you_mean(name, header),
                        "; it has ", join(header, ", ")));
  }
  return static_cast<std::size_t>(found - header.begin());
}

}  // namespace

ImageColumn ImageColumn::read(const std::string& spec) {
  const std::size_t colon = spec.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == spec.size()) {
    throw ConfigError(str("'", spec, "': expected FILE.csv:COLUMN"));
  }
  ImageColumn column;
  column.name_ = spec.substr(colon + 1);
  const std::string path = spec.substr(0, colon);
  const Rows rows = read_csv(path);
  if (rows.empty()) {
    throw DataError(str("'", path, "' is empty; expected a header and a row per image"));
  }
  const std::size_t names = column_of_names(rows.front());
  const std::size_t wanted = column_of(rows, column.name_, path);
  const bool has_signs = std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
    return row.size() > wanted && row[wanted] == "+";
  });
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i].size() <= std::max(names, wanted)) {
      throw DataError(str("'", path, "' row ", i + 1, ": expected ", rows.front().size(),
                          " cells, found ", rows[i].size()));
    }
    const std::string& cell = rows[i][wanted];
    const bool is_sign = has_signs && cell == "-";  // the other value of "+"
    const std::string value = is_missing(cell) && !is_sign ? "" : cell;
    const std::string image = without_extension(rows[i][names]);
    const auto [earlier, is_new] = column.values_.emplace(image, value);
    if (!is_new && earlier->second != value) {
      throw DataError(str("'", path, "' row ", i + 1, ": '", rows[i][names],
                          "' has two values of '", column.name_, "'; keep one"));
    }
    const auto [same, is_first] = column.by_last_part_.emplace(last_part(image), value);
    if (!is_first && same->second != value) {
      same->second = "";
    }
  }
  return column;
}

std::string ImageColumn::of(const std::string& image) const {
  const std::string volume = image.substr(0, image.rfind('#'));
  for (const std::string& written : {image, volume}) {
    const std::string known = without_extension(written);
    for (const std::string& name : {written, known, last_part(written), last_part(known)}) {
      if (const auto found = values_.find(name); found != values_.end()) {
        return found->second;
      }
    }
    if (const auto found = by_last_part_.find(last_part(known)); found != by_last_part_.end()) {
      return found->second;
    }
  }
  return "";
}

}  // namespace leaf::metrics
