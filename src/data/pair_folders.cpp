#include "pair_folders.h"

#include <map>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// "sub/name" of the file `folder`/sub/name.png.
std::string name_below(const fs::path& folder, const fs::path& file) {
  return file.lexically_relative(folder).replace_extension().generic_string();
}

/// "sub/name" -> "sub/<prefix>name<suffix>".
std::string mask_name(const PairFolders& folders, const std::string& image_name) {
  const fs::path name(image_name);
  const std::string stem = folders.prefix + name.filename().string() + folders.suffix;
  return (name.parent_path() / stem).generic_string();
}

/// Images and masks in one folder are told apart by the mask's prefix and suffix.
bool is_mask_beside_images(const PairFolders& folders, const fs::path& file) {
  const std::string stem = file.stem().string();
  return folders.images == folders.masks && !(folders.prefix + folders.suffix).empty() &&
         stem.starts_with(folders.prefix) && stem.ends_with(folders.suffix);
}

/// The image files of one side by their names; DataError when two differ in the extension alone.
std::map<std::string, fs::path> files_by_name(const PairFolders& folders, bool masks) {
  const fs::path& folder = masks ? folders.masks : folders.images;
  std::map<std::string, fs::path> files;
  for (const fs::path& file : list_images(folder, true)) {
    if (folders.images == folders.masks && is_mask_beside_images(folders, file) != masks) {
      continue;
    }
    const auto [other, added] = files.emplace(name_below(folder, file), file);
    if (!added) {
      throw DataError(str("'", file.string(), "' and '", other->second.string(),
                          "' have the same name; keep one of them"));
    }
  }
  return files;
}

std::string missing_text(const std::vector<std::string>& missing, std::size_t total,
                         std::string_view what, std::string_view partner) {
  return missing.empty() ? ""
                         : str(missing.size(), " of ", total, " ", what, " have no ", partner,
                               " (first: ", missing.front(), ")");
}

}  // namespace

std::vector<Pair> match_pairs(const PairFolders& folders) {
  const auto images = files_by_name(folders, false);
  auto masks = files_by_name(folders, true);
  const std::size_t mask_count = masks.size();
  std::vector<Pair> pairs;
  std::vector<std::string> without_mask;
  for (const fs::path& image : list_images(folders.images, true)) {
    const std::string name = name_below(folders.images, image);
    if (!images.contains(name)) {
      continue;  // a mask beside the images
    }
    const std::string expected = mask_name(folders, name);
    const auto mask = masks.find(expected);
    if (mask == masks.end()) {
      without_mask.push_back(
          str("'", image.string(), "', expected '", (folders.masks / expected).string(), ".png'"));
      continue;
    }
    pairs.push_back({image, mask->second, name, folders.rule});
    masks.erase(mask);
  }
  std::vector<std::string> without_image;
  for (const auto& [name, file] : masks) {
    without_image.push_back(str("'", file.string(), "'"));
  }
  if (without_mask.empty() && without_image.empty()) {
    return pairs;
  }
  const std::string a = missing_text(without_mask, images.size(), "images", "mask");
  const std::string b = missing_text(without_image, mask_count, "masks", "image");
  throw DataError(str(a, a.empty() || b.empty() ? "" : "; ", b,
                      "; add or remove files, or set data.mask_prefix or data.mask_suffix"));
}

}  // namespace leaf::data
