#include "data/nnunet_dataset.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "data/registry.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/dataset.h"
#include "leaf/data/split.h"
#include "support/images.h"
#include "support/temporary_folder.h"
#include "support/volumes.h"

namespace leaf::data {
namespace {

using Names = std::vector<std::string>;

const std::string kVersion2 = R"({"channel_names": {"0": "CT"}, "numTraining": 3,
  "labels": {"background": 0, "left lung": 2, "heart": 1, "ignore": 3}, "file_ending": ".nii.gz"})";

class Nnunet : public ::testing::Test {
 protected:
  Nnunet() {
    config_.dataset = "nnunet";
    config_.root = folder_.path();
    config_.resolution = 8;
    config_.intensity.rule = IntensityRule::kRange;
    config_.split.strategy = SplitStrategy::kTail;
    config_.split.validation = 1;
    config_.split.test = 0;
  }

  void write_json(const std::string& text) { write_file(folder_ / "dataset.json", text); }

  /// A volume of `slices` slices whose mask has 1 in the first and 2 in the others.
  void write_case(const std::string& name, std::int64_t slices) {
    const at::Tensor image = at::arange(slices * 6 * 4).to(at::kInt).view({slices, 6, 4});
    const at::Tensor mask = at::zeros({slices, 6, 4}, at::kByte);
    mask.narrow(2, 0, 2).fill_(2);
    mask[0].narrow(1, 0, 2).fill_(1);
    test::write_axial(folder_ / ("imagesTr/" + name + "_0000.nii.gz"), image);
    test::write_axial(folder_ / ("labelsTr/" + name + ".nii.gz"), mask);
  }

  void write_volumes() {
    write_json(kVersion2);
    write_case("a", 3);
    write_case("b", 2);
    write_case("c", 4);
    take_stated_classes(config_);
  }

  std::string refusal() {
    return test::message_of<DataError>([&] {
      take_stated_classes(config_);
      split_pairs(config_, 1);
    });
  }

  void expect_refusal(const std::string& part) {
    const std::string message = refusal();
    EXPECT_NE(message.find(part), std::string::npos) << part << " in '" << message << "'";
  }

  test::TemporaryFolder folder_;
  DataConfig config_;
};

Names names_of(const std::vector<Pair>& pairs) {
  Names names;
  for (const Pair& pair : pairs) {
    names.push_back(pair.name);
  }
  return names;
}

}  // namespace

TEST_F(Nnunet, ClassesAreTheLabelsInTheOrderOfTheirValues) {
  write_json(kVersion2);
  const Names items{"background=0", "heart=1", "left_lung=2", "ignore=3"};
  EXPECT_EQ(class_items(read_nnunet_classes(folder_.path())), items);
  write_json(R"({"modality": {"0": "CT"}, "labels": {"0": "background", "1": "heart",
    "2": "left lung", "3": "ignore"}})");
  EXPECT_EQ(class_items(read_nnunet_classes(folder_.path())), items);
  take_stated_classes(config_);
  EXPECT_EQ(class_items(config_.classes), items);
}

TEST_F(Nnunet, VolumesAreDividedAsAWholeAndCut) {
  write_volumes();
  const SplitPairs parts = split_pairs(config_, 1);
  EXPECT_EQ(names_of(parts.train), (Names{"a#0", "a#1", "a#2", "b#0", "b#1"}));
  EXPECT_EQ(names_of(parts.validation), (Names{"c#0", "c#1", "c#2", "c#3"}));
  write_split_csv(folder_ / "split.csv", parts, config_.root);
  EXPECT_EQ(read_file(folder_ / "split.csv"),
            "image,mask,split\n"
            "imagesTr/a_0000.nii.gz,labelsTr/a.nii.gz,train\n"
            "imagesTr/b_0000.nii.gz,labelsTr/b.nii.gz,train\n"
            "imagesTr/c_0000.nii.gz,labelsTr/c.nii.gz,validation\n");
  const SplitPairs again = split_pairs_of_run(config_, folder_ / "split.csv");
  EXPECT_EQ(names_of(again.train), names_of(parts.train));
  EXPECT_EQ(names_of(again.validation), names_of(parts.validation));
  config_.split.strategy = SplitStrategy::kNnunet;
  config_.split.folds = folder_ / "splits_final.json";
  write_file(config_.split.folds, R"([{"train": ["c"], "val": ["a", "b"]}])");
  EXPECT_EQ(split_pairs(config_, 1).train.size(), 4U);
  EXPECT_EQ(split_pairs(config_, 1).validation.size(), 5U);
}

TEST_F(Nnunet, ADatasetHasTheSlicesAndTheirLabels) {
  write_volumes();
  const Dataset dataset(split_pairs(config_, 1).train, config_);
  const FullSample first = dataset.load_full(0);
  EXPECT_EQ(first.sample.name, "a#0");
  EXPECT_EQ(first.pair.image.rgb.sizes(), (std::vector<std::int64_t>{6, 4, 3}));
  EXPECT_EQ(first.pair.labels.max().item<int>(), 1);
  EXPECT_EQ(dataset.load_full(1).pair.labels.max().item<int>(), 2);
  const at::Tensor last = dataset.load_full(2).pair.image.rgb;
  EXPECT_EQ(last[5][3][0].item<int>(), 255);              // of the volume's range
  EXPECT_EQ(first.pair.image.rgb.max().item<int>(), 83);  // 23 of 71
  for (std::size_t i = dataset.size(); i-- > 0;) {
    EXPECT_TRUE(dataset.decoded(i).image.equal(dataset.decoded(i).image));
    EXPECT_EQ(dataset.load(i).name, dataset.pairs()[i].name);
  }
}

TEST_F(Nnunet, TheCacheKeepsAllSlicesOfAVolume) {
  write_volumes();
  const std::vector<Pair> pairs = split_pairs(config_, 1).train;
  const Dataset cached(pairs, config_);
  config_.cache_mb = 0;
  const Dataset uncached(pairs, config_);
  for (const std::size_t i : {2U, 0U, 4U, 1U, 3U}) {
    EXPECT_TRUE(cached.decoded(i).image.equal(uncached.decoded(i).image)) << i;
    EXPECT_TRUE(cached.decoded(i).mask.equal(uncached.decoded(i).mask)) << i;
    EXPECT_EQ(cached.decoded(i).image.data_ptr(), cached.decoded(i).image.data_ptr());
    EXPECT_NE(uncached.decoded(i).image.data_ptr(), cached.decoded(i).image.data_ptr());
  }
  EXPECT_FALSE(cached.decoded(0).image.equal(cached.decoded(1).image));
}

TEST_F(Nnunet, PicturesAreCasesToo) {
  write_json(R"({"channel_names": {"0": "R", "1": "G", "2": "B"}, "file_ending": ".png",
    "labels": {"background": 0, "polyp": 1}})");
  data::write_png(folder_ / "imagesTr/x_0000.png", test::picture(6, 4));
  data::write_png(folder_ / "labelsTr/x.png", test::half_mask(6, 4, 1));
  data::write_png(folder_ / "imagesTr/y_0000.png", test::picture(6, 4, 3));
  data::write_png(folder_ / "labelsTr/y.png", test::half_mask(6, 4, 1));
  data::write_png(folder_ / "imagesTs/z_0000.png", test::picture(6, 4, 5));
  take_stated_classes(config_);
  PairList list = list_pairs(config_);
  EXPECT_EQ(names_of(list.pairs), (Names{"x", "y"}));
  EXPECT_TRUE(list.own_test.empty());
  EXPECT_EQ(load_pair(list.pairs[0], config_).labels.sum().item<int>(), 12);
  data::write_png(folder_ / "labelsTs/z.png", test::half_mask(6, 4, 1));
  EXPECT_EQ(names_of(list_pairs(config_).own_test), Names{"z"});
}

TEST_F(Nnunet, ChannelsInFilesOfTheirOwnAreOnePicture) {
  write_json(R"({"channel_names": {"0": "T1", "1": "T2"}, "file_ending": ".png",
    "labels": {"background": 0, "lesion": 1}})");
  const at::Tensor planes = at::arange(72).to(at::kByte).view({3, 6, 4});
  for (const std::string name : {"x", "y"}) {
    write_png(folder_ / ("imagesTr/" + name + "_0000.png"), planes[0]);
    write_png(folder_ / ("imagesTr/" + name + "_0001.png"), planes[1]);
    write_png(folder_ / ("labelsTr/" + name + ".png"), test::half_mask(6, 4, 1));
  }
  config_.intensity.rule = IntensityRule::kFull;
  take_stated_classes(config_);
  std::vector<Pair> pairs = list_pairs(config_).pairs;
  EXPECT_EQ(names_of(pairs), (Names{"x", "y"}));
  EXPECT_EQ(pairs[0].image.filename(), "x_0000.png") << "what split.csv calls the image";
  const at::Tensor none = at::zeros({6, 4}, at::kByte);
  EXPECT_TRUE(
      load_pair(pairs[0], config_).image.rgb.equal(at::stack({planes[0], planes[1], none}, 2)));
  write_png(folder_ / "imagesTr/x_0002.png", planes[2]);
  expect_refusal("x_0002.png' is a channel that dataset.json does not state");
  write_json(R"({"channel_names": {"0": "T1", "1": "T2", "2": "FLAIR"}, "file_ending": ".png",
    "labels": {"background": 0, "lesion": 1}})");
  expect_refusal("has no file 'y_0002.png' beside it, and dataset.json states 3 channels");
  write_png(folder_ / "imagesTr/y_0002.png", at::cat({planes[2], planes[2]}, 1));
  pairs = list_pairs(config_).pairs;
  EXPECT_TRUE(load_pair(pairs[0], config_).image.rgb.equal(planes.permute({1, 2, 0})));
  EXPECT_NE(test::message_of<DataError>([&] {
              load_pair(pairs[1], config_);
            }).find("y_0002.png' is 8x6 but "),
            std::string::npos);
  write_png(folder_ / "imagesTr/y_0002.png", test::picture(6, 4));
  EXPECT_NE(test::message_of<DataError>([&] { load_pair(pairs[1], config_); }).find("has colours"),
            std::string::npos);
  config_.dataset = "folder";  // where names mean nothing
  EXPECT_TRUE(load_pair(pairs[0], config_).image.rgb.select(2, 1).equal(planes[0]));
}

TEST_F(Nnunet, ChannelsOfVolumesAreSlicesOfOnePicture) {
  write_volumes();
  write_json(R"({"channel_names": {"0": "T1", "1": "T2"}, "file_ending": ".nii.gz",
    "labels": {"background": 0, "heart": 1, "lung": 2}})");
  const auto second = [&](const std::string& name, std::int64_t slices) {
    const at::Tensor voxels = at::full({slices, 6, 4}, 500, at::kInt);
    voxels[0].fill_(-500);
    test::write_axial(folder_ / ("imagesTr/" + name + "_0001.nii.gz"), voxels);
  };
  second("a", 3);
  second("b", 2);
  expect_refusal("c_0000.nii.gz' has no file 'c_0001.nii.gz' beside it");
  second("c", 3);
  expect_refusal("voxels; pair the right files");
  second("c", 4);
  take_stated_classes(config_);
  const Dataset dataset(split_pairs(config_, 1).train, config_);
  ASSERT_EQ(dataset.size(), 5U);
  EXPECT_EQ(dataset.pairs()[1].name, "a#1");
  const at::Tensor first = dataset.load_full(0).pair.image.rgb;
  const at::Tensor next = dataset.load_full(1).pair.image.rgb;
  EXPECT_EQ(first.select(2, 0).max().item<int>(), 83) << "23 of 71, by its own channel's range";
  EXPECT_EQ(first.select(2, 1).max().item<int>(), 0);
  EXPECT_EQ(next.select(2, 1).min().item<int>(), 255);
  EXPECT_EQ(next.select(2, 2).max().item<int>(), 0) << "there is no third channel";
}

TEST_F(Nnunet, TheDecathlonsNamesHaveNoChannel) {
  write_json(R"({"modality": {"0": "MRI"}, "labels": {"0": "background", "1": "a", "2": "b"}})");
  const at::Tensor voxels = at::ones({2, 4, 4}, at::kByte);
  test::write_axial(folder_ / "imagesTr/hippocampus_001.nii.gz", voxels);
  test::write_axial(folder_ / "labelsTr/hippocampus_001.nii.gz", voxels);
  write_file(folder_ / "imagesTr/._hippocampus_001.nii.gz", "of another system");
  EXPECT_EQ(names_of(list_pairs(config_).pairs), Names{"hippocampus_001"});
}

TEST_F(Nnunet, WhatIsNotReadIsNamed) {
  expect_refusal("dataset.json");
  write_json("[]");
  expect_refusal("not a JSON object");
  write_json(R"({"labels": {"background": 0, "whole": [1, 2]}})");
  expect_refusal("'whole' is a region");
  write_json(R"({"labels": {"liver": 1}})");
  expect_refusal("the value 0");
  write_json(R"({"labels": {"background": 0, "liver": "one"}})");
  expect_refusal("no whole number");
  write_json(R"({"labels": {"background": 0, "a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7,
    "h": 8}})");
  expect_refusal("has 9 classes");
  write_volumes();
  write_json(R"({"modality": {"0": "a", "1": "b", "2": "c", "3": "d"},
    "labels": {"0": "background", "1": "a"}})");
  expect_refusal("its images have 4 channels, and 1 to 3 are read");
  write_json(R"({"channel_names": {"0": "T1"}, "labels": {"background": 0, "a": 1},
    "file_ending": ".mha"})");
  expect_refusal("no files *.mha");
  write_json(kVersion2);
  test::write_axial(folder_ / "imagesTr/a_0001.nii.gz", at::ones({3, 6, 4}, at::kByte));
  expect_refusal("does not state");
  std::filesystem::remove(folder_ / "imagesTr/a_0001.nii.gz");
  test::write_axial(folder_ / "labelsTr/c.nii.gz", at::ones({3, 6, 4}, at::kByte));
  expect_refusal("voxels; pair the right files");
  std::filesystem::remove(folder_ / "labelsTr/c.nii.gz");
  expect_refusal("1 of 3 images have no label");
  std::filesystem::remove(folder_ / "imagesTr/c_0000.nii.gz");
  std::filesystem::remove(folder_ / "imagesTr/b_0000.nii.gz");
  expect_refusal("1 of 2 labels have no image");
}

TEST(CaseNames, ChannelsLieBesideTheFirst) {
  const test::TemporaryFolder folder;
  using Files = std::vector<std::filesystem::path>;
  for (const char* name : {"a_0000.nii.gz", "a_0001.nii.gz", "a_0002.nii.gz", "b_0000.nii.gz",
                           "b_0002.nii.gz", "c_0000.png", "c_0001.nii.gz"}) {
    test::touch(folder / "imagesTs" / name);
  }
  const auto files = [&](const std::string& name) {
    return channel_files(folder / ("imagesTs/" + name));
  };
  EXPECT_EQ(files("a_0000.nii.gz").size(), 1U);
  write_file(folder / "dataset.json", "{}");
  EXPECT_EQ(files("a_0000.nii.gz"),
            (Files{folder / "imagesTs/a_0000.nii.gz", folder / "imagesTs/a_0001.nii.gz",
                   folder / "imagesTs/a_0002.nii.gz"}));
  EXPECT_EQ(files("a_0001.nii.gz").size(), 1U);
  EXPECT_EQ(files("b_0000.nii.gz").size(), 1U);
  EXPECT_EQ(files("c_0000.png").size(), 1U) << "another format";
  const std::string message =
      test::message_of<DataError>([&] { refuse_channel_files(files("a_0000.nii.gz")); });
  EXPECT_NE(message.find("a_0001.nii.gz' is a channel in a file of its own"), std::string::npos)
      << message;
}

TEST(CaseNames, ChannelsAreNoPartOfThemBesideADatasetJson) {
  const test::TemporaryFolder folder;
  const std::filesystem::path image = folder / "imagesTs/sub_0000.nii.gz";
  test::touch(image);
  EXPECT_EQ(case_name(image, "sub_0000.nii.gz"), "sub_0000");
  write_file(folder / "dataset.json", "{}");
  EXPECT_EQ(case_name(image, "sub_0000.nii.gz"), "sub");
  EXPECT_EQ(case_name(folder / "other/a_0000.png", "a_0000.png"), "a_0000");
}

}  // namespace leaf::data
