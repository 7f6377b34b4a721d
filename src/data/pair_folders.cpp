#include "pair_folders.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "data/image_folder.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// Images and masks in one folder are told apart by the mask's prefix and suffix.
void keep_side(FilesByName& files, const NameAffix& affix, bool masks) {
  std::erase_if(files,
                [&](const auto& item) { return affix.take_from(item.first).has_value() != masks; });
}

/// The image files of one side by their names.
FilesByName side(const PairFolders& folders, bool masks) {
  const fs::path& folder = masks ? folders.masks : folders.images;
  const FoundImages found = find_images(folder);
  const bool shared = folders.images == folders.masks;
  if (!shared || !masks) {
    report_passed_over(found, folder);
  }
  FilesByName files = files_by_name(folder, found.images);
  if (shared && !folders.affix.empty()) {
    keep_side(files, folders.affix, masks);
  }
  return files;
}

/// "2 of 3 images have no mask (first: ...)"
std::string missing_text(const std::vector<std::string>& missing, std::size_t total,
                         std::string_view what, std::string_view partner,
                         const std::string& first) {
  return missing.empty() ? ""
                         : str(missing.size(), " of ", total, " ", what, " have no ", partner,
                               " (first: ", first, ")");
}

/// What to do: the affix that would pair most, where there is one.
std::string advice(const PairFolders& folders, const FilesByName& images,
                   const FilesByName& masks) {
  const auto has_affix = [&](const auto& item) {
    return folders.affix.take_from(item.first).has_value();
  };
  std::string text;
  if (!folders.affix.empty() && std::none_of(masks.begin(), masks.end(), has_affix)) {
    text = str("; no mask is called '", folders.affix.add_to("NAME"), "'");
  }
  const auto guess = guess_affix(images, masks);
  if (!guess) {
    return text +
           "; add, remove or rename files (a mask is called as its image, but for "
           "DataConfig::mask_prefix before it and DataConfig::mask_suffix behind)";
  }
  const auto setting = [](const char* field, const std::string& value) {
    return str(field, ": ", value.empty() ? "\"\"" : value);
  };
  return str(text, "; ", guess->pairs, " would pair with ",
             setting("DataConfig::mask_suffix", guess->affix.suffix),
             guess->affix.prefix == folders.affix.prefix
                 ? ""
                 : str(" and ", setting("DataConfig::mask_prefix", guess->affix.prefix)));
}

}  // namespace

std::vector<Pair> match_pairs(const PairFolders& folders) {
  const FilesByName images = side(folders, false);
  const FilesByName masks = side(folders, true);
  const NamePairs matched = match_names(images, masks, folders.affix);
  if (!matched.without_second.empty() || !matched.without_first.empty()) {
    const auto first_of = [](const std::vector<std::string>& names, const FilesByName& files) {
      return names.empty() ? "" : str("'", files.at(names.front()).string(), "'");
    };
    const std::string expected =
        matched.without_second.empty()
            ? ""
            : (folders.masks / folders.affix.add_to(matched.without_second.front())).string();
    const std::string a = missing_text(
        matched.without_second, images.size(), "images", "mask",
        str(first_of(matched.without_second, images), ", expected '", expected, ".png'"));
    const std::string b = missing_text(matched.without_first, masks.size(), "masks", "image",
                                       first_of(matched.without_first, masks));
    throw DataError(str(a, a.empty() || b.empty() ? "" : "; ", b, advice(folders, images, masks)));
  }
  std::vector<Pair> pairs;
  for (const NamePair& pair : matched.pairs) {
    pairs.push_back({pair.first, pair.second, pair.name, folders.rule});
  }
  return pairs;
}

}  // namespace leaf::data
