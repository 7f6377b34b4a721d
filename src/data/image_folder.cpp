#include "data/image_folder.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "data/readers/reader.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/volume.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// What lies beside images without being meant as one.
bool is_no_picture(const fs::path& file) {
  static constexpr std::array kTexts = {".txt", ".csv",  ".json", ".jsonl", ".md", ".xml", ".yaml",
                                        ".yml", ".html", ".log",  ".pdf",   ".db", ".ini", ".xlsx"};
  const std::string ending = to_lower(file.extension().string());
  return file.filename().string().starts_with('.') ||
         std::find(kTexts.begin(), kTexts.end(), ending) != kTexts.end();
}

/// Whether a folder in `within` is a link to one that it lies in, where walking would not end.
bool leads_back(const fs::path& folder, const fs::path& within) {
  std::error_code none;
  if (!fs::is_symlink(folder, none)) {
    return false;
  }
  fs::path outer = fs::absolute(within).lexically_normal();
  while (!fs::equivalent(folder, outer, none) && outer != outer.root_path()) {
    outer = outer.parent_path();
  }
  return fs::equivalent(folder, outer, none);
}

void collect(const fs::path& folder, const ImageSearch& search, FoundImages& found) {
  const bool skips_pictures = !search.enter_results && is_results_folder(folder);
  std::error_code none;
  for (const fs::path& entry : list_folder(folder)) {
    if (!fs::is_directory(entry, none)) {
      if (is_image_file(entry) || (search.volumes && is_volume(entry))) {
        found.images.push_back(entry);
      } else if (!is_no_picture(entry)) {
        found.others.push_back(entry);
      }
    } else if (search.recursive && !entry.filename().string().starts_with('.') &&
               !leads_back(entry, folder)) {
      const bool results = !search.enter_results && is_results_folder(entry);
      if (results || (skips_pictures && is_picture_folder(entry))) {
        found.results.push_back(entry);
      } else {
        collect(entry, search, found);
      }
    }
  }
}

/// "png, jpg, ...": of the formats that are read.
std::string readable_endings(bool volumes) {
  std::vector<std::string> endings;
  for (const Reader& reader : all_readers()) {
    for (const std::string& extension : reader.extensions) {
      endings.push_back(extension.substr(1));
    }
  }
  if (volumes) {
    endings.insert(endings.end(), {"nii", "nii.gz"});
  }
  return join(endings, ", ");
}

/// Where volumes are looked for in vain.
std::string volumes_text(const FoundImages& found, const ImageSearch& search) {
  const bool has_volumes =
      !search.volumes && std::any_of(found.others.begin(), found.others.end(),
                                     [](const fs::path& p) { return is_volume(p); });
  return has_volumes
             ? "; volumes are read from a data set of nnU-Net's form (DataConfig::dataset: nnunet)"
             : "";
}

/// "3 .gif, 1 without ending", the most frequent first.
std::string endings_text(const std::vector<fs::path>& files) {
  constexpr std::size_t kShown = 6;
  std::map<std::string, std::size_t> counts;
  for (const fs::path& file : files) {
    ++counts[to_lower(file.extension().string())];
  }
  std::vector<std::pair<std::size_t, std::string>> order;
  for (const auto& [ending, count] : counts) {
    order.emplace_back(count, ending.empty() ? "without ending" : printable(ending));
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < std::min(order.size(), kShown); ++i) {
    texts.push_back(str(order[i].first, " ", order[i].second));
  }
  return join(texts, ", ") + (order.size() > kShown ? ", ..." : "");
}

}  // namespace

bool is_results_folder(const fs::path& folder) {
  constexpr std::size_t kHead = 4096;  // the versions stand before the list of images
  const fs::path summary = folder / "summary.json";
  std::error_code none;
  if (!fs::is_regular_file(summary, none)) {
    return false;
  }
  std::string head(kHead, '\0');
  std::ifstream in(summary, std::ios::binary);
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  return head.find("\"leaf\"") != std::string::npos &&
         head.find("\"libtorch\"") != std::string::npos;
}

bool is_picture_folder(const fs::path& folder) {
  static const std::set<std::string> kNames{"overlays", "probabilities", "uncertainty", "labels",
                                            "dicom-seg"};
  return kNames.contains(folder.filename().string());
}

FoundImages find_images(const fs::path& folder, const ImageSearch& search) {
  if (!fs::is_directory(folder)) {
    throw DataError(str("no folder '", folder.string(), "'; check the path"));
  }
  FoundImages found;
  collect(folder, search, found);
  if (found.images.empty()) {
    throw DataError(
        str("no images (", readable_endings(search.volumes), ") in folder '", folder.string(), "'",
            found.others.empty() ? "" : str("; it holds ", endings_text(found.others)),
            volumes_text(found, search),
            found.results.empty() ? ""
                                  : str("; earlier results, as in '",
                                        found.results.front().string(), "', do not count")));
  }
  std::sort(found.images.begin(), found.images.end(), [](const fs::path& a, const fs::path& b) {
    return natural_less(a.string(), b.string());
  });
  return found;
}

void report_passed_over(const FoundImages& found, const fs::path& folder) {
  if (!found.others.empty()) {
    const std::size_t count = found.others.size();
    log::warn(str(count, count == 1 ? " file" : " files", " in '", folder.string(),
                  count == 1 ? "' is no image" : "' are no images", " that leaf reads and ",
                  count == 1 ? "is" : "are", " passed over: ", endings_text(found.others)));
  }
  if (!found.results.empty()) {
    const std::size_t more = found.results.size() - 1;
    log::warn(
        str("earlier results are passed over: '", found.results.front().string(), "'",
            more == 0 ? "" : str(" and ", more, more == 1 ? " more folder" : " more folders")));
  }
}

}  // namespace leaf::data
