#include "nnunet_dataset.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "image_folder.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/name_pairs.h"
#include "leaf/data/volume.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

constexpr const char* kFile = "dataset.json";
constexpr std::size_t kMostChannels = 3;  // red, green and blue of the network's input

[[noreturn]] void refuse_dataset(const fs::path& root, const std::string& reason) {
  throw DataError(str("'", (root / kFile).string(), "': ", reason));
}

Json read_json(const fs::path& root) {
  const fs::path file = root / kFile;
  if (!fs::is_regular_file(file)) {
    throw DataError(str("no file '", file.string(), "', which states nnU-Net's data sets; check ",
                        "DataConfig::root and DataConfig::dataset"));
  }
  Json json = Json::parse(read_small_file(file), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    refuse_dataset(root, "it is not a JSON object, as nnU-Net's is");
  }
  return json;
}

/// The first of the keys that is there and an object.
const Json* find_object(const Json& json, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (const auto found = json.find(key); found != json.end() && found->is_object()) {
      return &*found;
    }
  }
  return nullptr;
}

bool is_number(const std::string& text) {
  constexpr std::size_t kMostDigits = 9;
  return !text.empty() && text.size() <= kMostDigits &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

/// Names by their values: {"liver": 1} of version 2, {"1": "liver"} of version 1.
std::map<std::int64_t, std::string> labels_of(const Json& labels, const fs::path& root) {
  std::map<std::int64_t, std::string> names;
  for (const auto& [key, value] : labels.items()) {
    if (value.is_array()) {
      refuse_dataset(
          root, str("the label '", printable(key),
                    "' is a region of several values; say by DataConfig::classes what is learned"));
    }
    const bool named_by_value = is_number(key) && value.is_string();
    if (!named_by_value && !value.is_number_unsigned()) {
      refuse_dataset(root,
                     str("the label '", printable(key), "' has no whole number as its value"));
    }
    const std::int64_t number = named_by_value ? std::stoll(key) : value.get<std::int64_t>();
    const std::string name = named_by_value ? value.get<std::string>() : key;
    if (!names.emplace(number, name).second) {
      refuse_dataset(root, str("two labels have the value ", number));
    }
  }
  if (!names.contains(0)) {
    refuse_dataset(root, "no label has the value 0, the background");
  }
  return names;
}

/// With '_' for what is in no class's name.
std::string class_name(std::string name) {
  const auto is_kept = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; };
  std::replace_if(
      name.begin(), name.end(), [&](char c) { return !is_kept(c); }, '_');
  return name;
}

bool is_case_folder(const fs::path& folder) {
  std::error_code none;
  return folder.filename().string().starts_with("images") &&
         fs::is_regular_file(folder.parent_path() / kFile, none);
}

FilesByName files_of(const fs::path& folder, const NnunetDataset& set) {
  FoundImages found = find_images(folder, {.recursive = false, .volumes = true});
  report_passed_over(found, folder);
  std::vector<fs::path>& files = found.images;
  const std::size_t others = std::erase_if(
      files, [&](const fs::path& file) { return !file.filename().string().ends_with(set.ending); });
  if (others > 0) {
    log::warn(str(others, " files in '", folder.string(), "' do not end in ", set.ending,
                  " and are left out"));
  }
  if (files.empty()) {
    throw DataError(str("no files *", set.ending, " in '", folder.string(), "', as the ", kFile,
                        " beside it states them (file_ending)"));
  }
  return files_by_name(folder, files);
}

[[noreturn]] void refuse_lonely(const NamePairs& matched, const FilesByName& images,
                                const FilesByName& masks, const NameAffix& affix) {
  if (!matched.without_second.empty()) {
    const std::string& first = matched.without_second.front();
    throw DataError(str(matched.without_second.size(), " of ", masks.size(),
                        " labels have no image (first: '", masks.at(first).string(),
                        "', expected an image '", affix.add_to(first), "'); add or remove files"));
  }
  throw DataError(
      str(matched.without_first.size(), " of ", images.size(), " images have no label (first: '",
          images.at(matched.without_first.front()).string(), "'); add or remove files"));
}

/// The file of another channel of the image whose first one `first` is, the name of which ends in
/// "_0000".
fs::path channel_file(const fs::path& first, std::size_t channel) {
  const std::string name = without_extension(first).string();
  const std::string ending = first.string().substr(name.size());
  return str(name.substr(0, name.size() - 1), channel, ending);
}

/// The number of a channel beyond the first, "case_0001" beside "case_0000"; nothing for the name
/// of an image.
std::optional<std::size_t> further_channel(const std::string& name, const FilesByName& images) {
  if (name.size() <= kFirstChannel.size()) {
    return std::nullopt;
  }
  const std::size_t at = name.size() - kFirstChannel.size();
  const std::string digits = name.substr(at + 1);
  const bool is_further = name[at] == '_' && is_number(digits) && std::stoul(digits) > 0 &&
                          images.contains(str(name.substr(0, at), kFirstChannel));
  return is_further ? std::optional<std::size_t>(std::stoul(digits)) : std::nullopt;
}

void require_channels(const fs::path& image, std::size_t channels) {
  const std::size_t found = channel_files(image).size();
  if (found != channels) {
    throw DataError(str("image '", image.string(), "' has no file '",
                        channel_file(image, found).filename().string(), "' beside it, and ", kFile,
                        " states ", channels, " channels; add the file"));
  }
}

/// Throws DataError unless the channels of a volume have the same voxels at the same places.
void require_same_places(const fs::path& image, SliceAxis axis) {
  const std::vector<fs::path> files = channel_files(image);
  if (files.size() > 1 && is_volume(image)) {
    const auto first = open_volume(image, {.axis = axis});
    for (std::size_t c = 1; c < files.size(); ++c) {
      require_same_place(*open_volume(files[c], {.axis = axis}), *first);
    }
  }
}

/// Each image by its first channel, all of which are there.
FilesByName first_channels(const FilesByName& files, const NnunetDataset& set, SliceAxis axis) {
  FilesByName images;
  bool apart = set.channels == 2;  // no picture has two, and of volumes they would be a dimension
  for (const auto& [name, file] : files) {
    const std::optional<std::size_t> channel = further_channel(name, files);
    if (!channel) {
      images.emplace(name, file);
      continue;
    }
    if (*channel >= set.channels) {
      throw DataError(str("'", file.string(), "' is a channel that ", kFile,
                          " does not state; correct its channel_names, or remove the file"));
    }
    apart = true;
  }
  for (const auto& [name, file] : images) {
    if (apart && name.ends_with(kFirstChannel)) {
      require_channels(file, set.channels);
      require_same_places(file, axis);
    }
  }
  return images;
}

std::vector<Pair> find_part(const fs::path& images_folder, const fs::path& labels_folder,
                            const NnunetDataset& set, SliceAxis axis) {
  const FilesByName images = first_channels(files_of(images_folder, set), set, axis);
  const FilesByName masks = files_of(labels_folder, set);
  const bool numbered = std::any_of(images.begin(), images.end(), [](const auto& image) {
    return image.first.ends_with(kFirstChannel);  // the Decathlon's do not
  });
  const NameAffix affix{"", numbered ? std::string(kFirstChannel) : ""};
  const NamePairs matched = match_names(masks, images, affix);
  if (!matched.without_second.empty() || !matched.without_first.empty()) {
    refuse_lonely(matched, images, masks, affix);
  }
  std::vector<Pair> pairs;
  for (const NamePair& pair : matched.pairs) {
    pairs.push_back({pair.second, pair.first, pair.name, MaskRule::kThreshold});
  }
  return pairs;
}

}  // namespace

NnunetDataset read_nnunet_dataset(const fs::path& root) {
  const Json json = read_json(root);
  NnunetDataset set;
  if (const Json* channels = find_object(json, {"channel_names", "modality"})) {
    set.channels = channels->size();
  }
  if (const auto ending = json.find("file_ending"); ending != json.end() && ending->is_string()) {
    set.ending = ending->get<std::string>();
  }
  return set;
}

MaskClasses read_nnunet_classes(const fs::path& root) {
  const Json json = read_json(root);
  const Json* labels = find_object(json, {"labels"});
  if (labels == nullptr) {
    refuse_dataset(root, "it has no 'labels'");
  }
  std::vector<std::string> items;
  for (const auto& [value, name] : labels_of(*labels, root)) {
    items.push_back(str(class_name(name), "=", value));
  }
  try {
    return parse_classes(items);
  } catch (const ConfigError& error) {
    refuse_dataset(root,
                   str("'labels' ", error.what(), "; say by DataConfig::classes what is learned"));
  }
}

void take_stated_classes(DataConfig& config) {
  std::error_code none;
  if (config.dataset == "nnunet" && fs::is_regular_file(config.root / kFile, none)) {
    const ClassCoding coding = config.classes.coding;
    config.classes = read_nnunet_classes(config.root);
    config.classes.coding = coding;
  }
}

PairList find_nnunet(const DataConfig& config) {
  const NnunetDataset set = read_nnunet_dataset(config.root);
  if (set.channels < 1 || set.channels > kMostChannels) {
    refuse_dataset(config.root, str("its images have ", set.channels, " channels, and 1 to ",
                                    kMostChannels, " are read; keep as many of its channel_names ",
                                    "and of the files, numbered from _0000"));
  }
  const auto part = [&](const char* images, const char* labels) {
    return find_part(config.root / images, config.root / labels, set, config.slice_axis);
  };
  PairList list{part("imagesTr", "labelsTr"), {}};
  if (fs::is_directory(config.root / "labelsTs")) {
    list.own_test = part("imagesTs", "labelsTs");
  }
  return list;
}

fs::path case_name(const fs::path& image, const fs::path& name) {
  const fs::path plain = without_extension(name);
  const std::string text = plain.string();
  return text.ends_with(kFirstChannel) && is_case_folder(image.parent_path())
             ? fs::path(text.substr(0, text.size() - kFirstChannel.size()))
             : plain;
}

std::vector<fs::path> channel_files(const fs::path& image) {
  std::vector<fs::path> files{image};
  if (!without_extension(image).string().ends_with(kFirstChannel) ||
      !is_case_folder(image.parent_path())) {
    return files;
  }
  std::error_code none;
  while (files.size() < kMostChannels &&
         fs::is_regular_file(channel_file(image, files.size()), none)) {
    files.push_back(channel_file(image, files.size()));
  }
  return files;
}

void refuse_channel_files(const std::vector<fs::path>& images) {
  for (const fs::path& image : images) {
    if (const std::vector<fs::path> files = channel_files(image); files.size() > 1) {
      throw DataError(str("'", files[1].string(),
                          "' is a channel in a file of its own; only training and scoring of a "
                          "data set read such: join the channels of each image into one RGB file"));
    }
  }
}

}  // namespace leaf::data
