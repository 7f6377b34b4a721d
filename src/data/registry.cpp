#include "data/registry.h"

#include <algorithm>
#include <filesystem>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "nnunet_dataset.h"
#include "pair_folders.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// "; 'data' holds 'a', 'b'", the folders in it.
std::string folders_in(const fs::path& folder) {
  constexpr std::size_t kShown = 8;
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.is_directory(none)) {
      names.push_back(str("'", entry.path().filename().string(), "'"));
    }
  }
  std::sort(names.begin(), names.end());
  const bool more = names.size() > kShown;
  names.resize(std::min(names.size(), kShown));
  return names.empty() ? ""
                       : str("; '", folder.string(), "' holds the folders ", join(names, ", "),
                             more ? ", ..." : "");
}

/// The first candidate below root that is a folder; DataError listing all of them otherwise.
fs::path first_folder(const DataConfig& config, const std::vector<std::string>& candidates) {
  std::vector<std::string> tried;
  for (const std::string& candidate : candidates) {
    fs::path folder = candidate.empty() ? config.root : config.root / candidate;
    if (fs::is_directory(folder)) {
      return folder;
    }
    tried.push_back(str("'", folder.string(), "'"));
  }
  const char* keys = config.dataset == "folder"
                         ? "; check DataConfig::root, DataConfig::images and DataConfig::masks"
                         : "; check DataConfig::root and DataConfig::dataset";
  throw DataError(str("data set '", config.dataset, "': no folder ", join(tried, " or "),
                      folders_in(config.root), keys));
}

PairList find_folder(const DataConfig& config) {
  return {match_pairs({first_folder(config, {config.images}),
                       first_folder(config, {config.masks}),
                       {config.mask_prefix, config.mask_suffix},
                       MaskRule::kThreshold}),
          {}};
}

PairList find_cvc(const DataConfig& config) {
  const fs::path images =
      first_folder(config, {"PNG/Original", "CVC/PNG/Original", "Original", "CVC/Original"});
  return {match_pairs({images, images.parent_path() / "Ground Truth", {}, MaskRule::kThreshold}),
          {}};
}

PairList find_isic2018(const DataConfig& config) {
  const std::string official = "ISIC2018_Task1";
  const fs::path images =
      first_folder(config, {"train_Data", "ISIC18/train_Data", str(official, "-2_Training_Input")});
  const bool renamed = images.filename() == "train_Data";
  const fs::path masks = images.parent_path() /
                         (renamed ? "train_GroundTruth" : str(official, "_Training_GroundTruth"));
  return {match_pairs({images, masks, {"", "_segmentation"}, MaskRule::kThreshold}), {}};
}

/// One part of QaTa-COV19; the original release puts "mask_" before a mask's name.
std::vector<Pair> find_qata_part(const fs::path& part) {
  PairFolders folders{part / "Images", part / "Ground-truths", {}, MaskRule::kThreshold};
  if (fs::is_directory(folders.masks)) {
    const auto masks = list_folder(folders.masks);
    const bool original = std::any_of(masks.begin(), masks.end(), [](const fs::path& mask) {
      return mask.filename().string().starts_with("mask_");
    });
    folders.affix.prefix = original ? "mask_" : "";
  }
  return match_pairs(folders);
}

PairList find_qata(const DataConfig& config) {
  const fs::path root =
      first_folder(config, {"train/Images", "QaTa-COV19/train/Images"}).parent_path().parent_path();
  return {find_qata_part(root / "train"), find_qata_part(root / "test")};
}

/// SDSeg's copy: one folder whose files T* are the test part.
PairList find_refuge2_sdseg(const fs::path& folder) {
  PairList list;
  for (Pair& pair :
       match_pairs({folder / "images", folder / "masks", {}, MaskRule::kGreenChannel})) {
    (pair.name.starts_with('T') ? list.own_test : list.pairs).push_back(std::move(pair));
  }
  return list;
}

/// The original release: parts with images and label maps; a part named test* is the test part.
PairList find_refuge2_original(const DataConfig& config) {
  PairList list;
  for (const fs::path& part : list_folder(config.root)) {
    if (!fs::is_directory(part / "images") || !fs::is_directory(part / "mask")) {
      continue;
    }
    const bool test = to_lower(part.filename().string()).starts_with("test");
    std::vector<Pair>& target = test ? list.own_test : list.pairs;
    for (Pair& pair : match_pairs({part / "images", part / "mask", {}, MaskRule::kZeroIsTarget})) {
      target.push_back(std::move(pair));
    }
  }
  return list;
}

PairList find_refuge2(const DataConfig& config) {
  for (const char* name : {"Train_crop", "REFUGE2/Train_crop"}) {
    if (fs::is_directory(config.root / name)) {
      return find_refuge2_sdseg(config.root / name);
    }
  }
  PairList list = find_refuge2_original(config);
  if (list.pairs.empty()) {
    throw DataError(str("data set 'refuge2': neither '", (config.root / "Train_crop").string(),
                        "' nor a folder with images/ and mask/ in '", config.root.string(),
                        "'; check DataConfig::root"));
  }
  if (config.crop == Crop::kNone) {
    log::info(
        "data set 'refuge2' is used uncropped, while the published numbers are of crops round "
        "the disc: DataConfig::crop: disc");
  }
  return list;
}

/// Label maps alone say where a disc is.
void check_crop(const DataConfig& config, const PairList& list) {
  const auto has_disc = [](const Pair& pair) { return pair.rule == MaskRule::kZeroIsTarget; };
  if (config.crop == Crop::kDisc &&
      !(std::all_of(list.pairs.begin(), list.pairs.end(), has_disc) &&
        std::all_of(list.own_test.begin(), list.own_test.end(), has_disc))) {
    throw ConfigError(
        str("DataConfig::crop: disc needs the label maps of REFUGE2's original release, "
            "which '",
            config.root.string(), "' does not have; set DataConfig::crop: none"));
  }
}

}  // namespace

const std::vector<DatasetLayout>& dataset_layouts() {
  static const std::vector<DatasetLayout> layouts = {
      {"folder", find_folder, std::nullopt},
      {"cvc-clinicdb", find_cvc, PublishedProtocol{490.0 / 612.0, 62.0 / 612.0}},
      {"isic2018", find_isic2018, PublishedProtocol{0.7, 0.0}},
      {"qata-cov19", find_qata, PublishedProtocol{}},
      {"refuge2", find_refuge2, PublishedProtocol{}},
      {"nnunet", find_nnunet, std::nullopt},
  };
  return layouts;
}

const DatasetLayout& dataset_layout(const std::string& name) {
  std::vector<std::string> names;
  for (const DatasetLayout& layout : dataset_layouts()) {
    if (layout.name == name) {
      return layout;
    }
    names.push_back(layout.name);
  }
  throw ConfigError(str("unknown DataConfig::dataset '", name, "'", did_you_mean(name, names),
                        "; known are ", join(names, ", ")));
}

PairList list_pairs(const DataConfig& config) {
  const DatasetLayout& layout = dataset_layout(config.dataset);
  if (config.root.empty()) {
    throw ConfigError("DataConfig::root is not set; give the folder that holds the data set");
  }
  if (!fs::is_directory(config.root)) {
    throw DataError(
        str("DataConfig::root '", config.root.string(), "' is not a folder; set DataConfig::root"));
  }
  PairList list = layout.find(config);
  check_crop(config, list);
  return list;
}

}  // namespace leaf::data
