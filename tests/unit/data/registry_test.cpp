#include "data/registry.h"

#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

void touch(const test::TemporaryFolder& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    test::touch(folder / name);
  }
}

DataConfig config_for(const std::string& dataset, const std::filesystem::path& root) {
  DataConfig config;
  config.dataset = dataset;
  config.root = root;
  return config;
}

std::vector<std::string> names(const std::vector<Pair>& pairs) {
  std::vector<std::string> result;
  for (const Pair& pair : pairs) {
    result.push_back(pair.name);
  }
  return result;
}

using Names = std::vector<std::string>;

std::string data_error(const DataConfig& config) {
  return test::message_of<DataError>([&] { list_pairs(config); });
}

TEST(Registry, UnknownNameSuggestsAndLists) {
  const std::string message =
      test::message_of<ConfigError>([] { list_pairs(config_for("cvc-clincdb", "/")); });
  EXPECT_NE(message.find("did you mean 'cvc-clinicdb'?"), std::string::npos) << message;
  EXPECT_NE(message.find("folder, cvc-clinicdb, isic2018, qata-cov19, refuge2"), std::string::npos);
}

TEST(Registry, RootMustBeGivenAndThere) {
  EXPECT_THROW(list_pairs(config_for("folder", "")), ConfigError);
  EXPECT_EQ(data_error(config_for("folder", "/no/where")),
            "DataConfig::root '/no/where' is not a folder; set DataConfig::root");
}

TEST(Registry, FolderPairsByNameInNaturalOrderAndSubFolders) {
  const test::TemporaryFolder folder;
  touch(folder, {"images/10.jpg", "images/2.jpg", "images/p1/a.png", "masks/10.png", "masks/2.bmp",
                 "masks/p1/a.png"});
  const PairList list = list_pairs(config_for("folder", folder.path()));
  EXPECT_EQ(names(list.pairs), (Names{"2", "10", "p1/a"}));
  EXPECT_EQ(list.pairs[0].mask, folder / "masks/2.bmp");
  EXPECT_TRUE(list.own_test.empty());
}

TEST(Registry, FolderWithPrefixSuffixAndOneFolderForBoth) {
  const test::TemporaryFolder folder;
  touch(folder, {"all/a.png", "all/b.png", "all/m_a_gt.png", "all/m_b_gt.png"});
  DataConfig config = config_for("folder", folder.path());
  config.images = config.masks = "all";
  config.mask_prefix = "m_";
  config.mask_suffix = "_gt";
  const PairList list = list_pairs(config);
  EXPECT_EQ(names(list.pairs), (Names{"a", "b"}));
  EXPECT_EQ(list.pairs[1].mask, folder / "all/m_b_gt.png");
}

TEST(Registry, FoldersOfOtherNamesAreListedWithTheKeysThatNameThem) {
  const test::TemporaryFolder folder;
  touch(folder, {"images/a.png", "labels/a.png"});
  const std::string message = data_error(config_for("folder", folder.path()));
  for (const char* part : {"masks'", "holds the folders 'images', 'labels'", "DataConfig::masks"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in " << message;
  }
}

TEST(Registry, VolumesInFoldersAreSentToTheirLayout) {
  const test::TemporaryFolder folder;
  touch(folder, {"images/a.nii.gz", "masks/a.nii.gz"});
  const std::string message = data_error(config_for("folder", folder.path()));
  EXPECT_NE(message.find("nnU-Net's form"), std::string::npos) << message;
}

TEST(Registry, MissingPartnersOnBothSidesAreReported) {
  const test::TemporaryFolder folder;
  touch(folder, {"images/a.png", "images/b.png", "images/c.png", "masks/a.png", "masks/d.png"});
  const std::string message = data_error(config_for("folder", folder.path()));
  EXPECT_NE(message.find("2 of 3 images have no mask"), std::string::npos) << message;
  EXPECT_NE(message.find("images/b.png"), std::string::npos) << message;
  EXPECT_NE(message.find((folder / "masks/b").string()), std::string::npos) << message;
  EXPECT_NE(message.find("1 of 2 masks have no image"), std::string::npos) << message;
  EXPECT_NE(message.find("masks/d.png"), std::string::npos) << message;
}

TEST(Registry, ProposesTheSuffixThatMostMasksHave) {
  const test::TemporaryFolder folder;
  touch(folder, {"images/a.png", "images/b.png", "images/c.png", "masks/a_mask.png",
                 "masks/b_mask.png", "masks/c_mask.png"});
  DataConfig config = config_for("folder", folder.path());
  std::string message = data_error(config);
  EXPECT_NE(message.find("; 3 would pair with DataConfig::mask_suffix: _mask"), std::string::npos)
      << message;
  config.mask_suffix = "_msk";
  message = data_error(config);
  EXPECT_NE(message.find("no mask is called 'NAME_msk'; 3 would pair with"), std::string::npos)
      << message;
  config.mask_suffix = "_mask";
  EXPECT_EQ(list_pairs(config).pairs.size(), 3U);
}

TEST(Registry, MissingEmptyAndAmbiguousFolders) {
  const test::TemporaryFolder folder;
  EXPECT_NE(data_error(config_for("folder", folder.path())).find("images'"), std::string::npos);
  make_folder(folder / "images");
  make_folder(folder / "masks");
  EXPECT_NE(data_error(config_for("folder", folder.path())).find("no images"), std::string::npos);
  touch(folder, {"images/a.png", "images/a.jpg", "masks/a.png"});
  EXPECT_NE(data_error(config_for("folder", folder.path())).find("same name"), std::string::npos);
}

TEST(Registry, CvcClinicDbInEitherPlaceWithNumericOrder) {
  for (const std::string base : {"PNG/", "CVC/PNG/", ""}) {
    const test::TemporaryFolder folder;
    touch(folder, {base + "Original/10.png", base + "Original/2.png", base + "Ground Truth/10.png",
                   base + "Ground Truth/2.png"});
    EXPECT_EQ(names(list_pairs(config_for("cvc-clinicdb", folder.path())).pairs),
              (Names{"2", "10"}));
  }
}

TEST(Registry, Isic2018ShortAndOfficialNames) {
  for (const auto& [images, masks] :
       {std::pair{"train_Data", "train_GroundTruth"},
        std::pair{"ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"}}) {
    const test::TemporaryFolder folder;
    touch(folder,
          {std::string(images) + "/ISIC_1.jpg", std::string(masks) + "/ISIC_1_segmentation.png"});
    EXPECT_EQ(names(list_pairs(config_for("isic2018", folder.path())).pairs), (Names{"ISIC_1"}));
  }
}

TEST(Registry, QataHasItsOwnTestPart) {
  for (const std::string mask : {"", "mask_"}) {
    const test::TemporaryFolder folder;
    touch(folder, {"QaTa-COV19/train/Images/a.png", "QaTa-COV19/test/Images/b.png",
                   "QaTa-COV19/train/Ground-truths/" + mask + "a.png",
                   "QaTa-COV19/test/Ground-truths/" + mask + "b.png"});
    const PairList list = list_pairs(config_for("qata-cov19", folder.path()));
    EXPECT_EQ(names(list.pairs), (Names{"a"}));
    EXPECT_EQ(names(list.own_test), (Names{"b"}));
  }
}

TEST(Registry, Refuge2Cropped) {
  const test::TemporaryFolder folder;
  touch(folder, {"Train_crop/images/g1.png", "Train_crop/images/V2.png", "Train_crop/images/T1.png",
                 "Train_crop/masks/g1.png", "Train_crop/masks/V2.png", "Train_crop/masks/T1.png"});
  const PairList list = list_pairs(config_for("refuge2", folder.path()));
  EXPECT_EQ(names(list.pairs), (Names{"V2", "g1"}));
  EXPECT_EQ(names(list.own_test), (Names{"T1"}));
  EXPECT_EQ(list.pairs[0].rule, MaskRule::kGreenChannel);
}

std::string printed_list(const DataConfig& config) {
  testing::internal::CaptureStderr();
  list_pairs(config);
  return testing::internal::GetCapturedStderr();
}

TEST(Registry, Refuge2SaysThatThePublishedNumbersAreOfCrops) {
  const test::TemporaryFolder folder;
  touch(folder, {"Training/images/a.jpg", "Training/mask/a.bmp"});
  DataConfig config = config_for("refuge2", folder.path());
  EXPECT_NE(printed_list(config).find("DataConfig::crop: disc"), std::string::npos);
  config.crop = Crop::kDisc;
  EXPECT_EQ(printed_list(config), "");
  const test::TemporaryFolder cropped;
  touch(cropped, {"Train_crop/images/g1.png", "Train_crop/masks/g1.png"});
  config.root = cropped.path();
  EXPECT_NE(
      test::message_of<ConfigError>([&] { list_pairs(config); }).find("DataConfig::crop: none"),
      std::string::npos);
  config.crop = Crop::kNone;
  EXPECT_EQ(printed_list(config), "");
}

TEST(Registry, Refuge2LabelMaps) {
  const test::TemporaryFolder folder;
  touch(folder, {"Training/images/a.jpg", "Training/mask/a.bmp", "Test/images/b.jpg",
                 "Test/mask/b.bmp", "readme.txt"});
  const PairList list = list_pairs(config_for("refuge2", folder.path()));
  EXPECT_EQ(names(list.pairs), (Names{"a"}));
  EXPECT_EQ(names(list.own_test), (Names{"b"}));
  EXPECT_EQ(list.pairs[0].rule, MaskRule::kZeroIsTarget);
  const test::TemporaryFolder bare;
  EXPECT_NE(data_error(config_for("refuge2", bare.path())).find("Train_crop"), std::string::npos);
}

}  // namespace
}  // namespace leaf::data
