#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/data/data_config.h"
#include "leaf/data/mask_classes.h"
#include "leaf/data/pair.h"

namespace leaf::data {

/// What nnU-Net puts behind a case's name for an image's first channel.
inline constexpr std::string_view kFirstChannel = "_0000";

/// What the dataset.json of a data set in nnU-Net's layout states: that of its version 2, or of
/// version 1 and the Medical Segmentation Decathlon.
struct NnunetDataset {
  std::size_t channels = 1;
  std::string ending;  ///< of all files' names: ".nii.gz"; empty where it is not stated
};

/// Reads root/dataset.json. Throws DataError for a file that is missing or not of that form.
NnunetDataset read_nnunet_dataset(const std::filesystem::path& root);

/// Its labels as classes, in the order of their values; what names may not hold becomes '_'. Throws
/// DataError as above, and for regions and for more classes than are learned.
MaskClasses read_nnunet_classes(const std::filesystem::path& root);

/// The images of imagesTr with their masks of labelsTr, and of imagesTs where there is a labelsTs;
/// names are those of the cases. An image whose channels are files of their own is its first one
/// (channel_files). Throws DataError for files without partner, for images of more than 3 channels,
/// for channels that are missing or not stated, and for those of a volume that lie elsewhere.
PairList find_nnunet(const DataConfig& config);

/// The name of an image below some folder, without extension; in a folder images* beside a
/// dataset.json it is the case's, without "_0000".
std::filesystem::path case_name(const std::filesystem::path& image,
                                const std::filesystem::path& name);

/// The files of an image: itself, and in such a folder the channels "case_0001" and "case_0002"
/// beside "case_0000" that are there.
std::vector<std::filesystem::path> channel_files(const std::filesystem::path& image);

/// Throws DataError for an image of several such files.
void refuse_channel_files(const std::vector<std::filesystem::path>& images);

}  // namespace leaf::data
