// Discovery, splits and loading on samples of the data sets, where LEAF_DATA_DIR holds these: a
// test of other data is skipped.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "core/csv.h"
#include "leaf/core/files.h"
#include "leaf/data/dataset.h"
#include "leaf/data/split.h"
#include "support/data_folder.h"

namespace leaf::data {
namespace {

class RealData : public test::DataFolderTest {
 protected:
  DataConfig config_for(const std::string& dataset, const std::string& sub_folder) {
    DataConfig config;
    config.dataset = dataset;
    config.root = folder_ / sub_folder;
    return config;
  }

  bool holds(const std::string& path) const { return std::filesystem::exists(folder_ / path); }
};

constexpr const char* kOtherData = "LEAF_DATA_DIR does not hold the sample that this test knows";

void expect_usable(const Pair& pair, const DataConfig& config) {
  const Dataset dataset({pair}, config);
  const DecodedSample sample = dataset.decoded(0);
  EXPECT_TRUE(dataset.masks().lines(true).empty());
  const double share = sample.mask.to(at::kDouble).mean().item<double>();
  EXPECT_GT(share, 0.001);
  EXPECT_LT(share, 0.9);
}

TEST_F(RealData, CvcSplitsBySequence) {
  if (!holds("CVC-ClinicDB/sequences.csv") || holds("CVC-ClinicDB/PNG/Original/479.png")) {
    GTEST_SKIP() << kOtherData;
  }
  DataConfig config = config_for("cvc-clinicdb", "CVC-ClinicDB");
  config.split.strategy = SplitStrategy::kGroups;
  config.split.groups = config.root / "sequences.csv";
  const SplitPairs split = split_pairs(config, 1);
  EXPECT_EQ(split.train.size() + split.validation.size() + split.test.size(), 478U);
  EXPECT_GE(split.test.size(), 48U);
  EXPECT_GE(split.validation.size(), 48U);
  std::map<std::string, std::string> sequence;
  for (const auto& row : read_csv(config.split.groups)) {
    sequence[row[0]] = row[1];
  }
  EXPECT_NE(sequence[split.train.back().name], sequence[split.validation.front().name]);
  EXPECT_NE(sequence[split.validation.back().name], sequence[split.test.front().name]);
  expect_usable(split.train.front(), config);
}

TEST_F(RealData, IsicTailOf400) {
  if (!holds("ISIC18/train_Data") || list_folder(folder_ / "ISIC18/train_Data").size() != 2000) {
    GTEST_SKIP() << kOtherData;
  }
  DataConfig config = config_for("isic2018", "ISIC18");
  config.split = {SplitStrategy::kTail, 400, 0, {}, {}, {}, 0};
  const SplitPairs split = split_pairs(config, 1);
  EXPECT_EQ(split.train.size(), 1600U);
  EXPECT_EQ(split.validation.size(), 400U);
  EXPECT_TRUE(split.test.empty());
  EXPECT_LT(split.train.back().name, split.validation.front().name);
  expect_usable(split.train.front(), config);
}

TEST_F(RealData, QataLayoutKeepsItsTestPart) {
  if (!holds("QaTa-layout-CXR")) {
    GTEST_SKIP() << kOtherData;
  }
  const DataConfig config = config_for("qata-cov19", "QaTa-layout-CXR");
  const SplitPairs split = split_pairs(config, 1);
  EXPECT_EQ(split.train.size() + split.validation.size(), 33U);
  EXPECT_EQ(split.test.size(), 11U);
  expect_usable(split.test.front(), config);
}

TEST_F(RealData, RefugeLabelMaps) {
  if (!holds("REFUGE2-layout-DrishtiGS")) {
    GTEST_SKIP() << kOtherData;
  }
  const DataConfig config = config_for("refuge2", "REFUGE2-layout-DrishtiGS");
  const SplitPairs split = split_pairs(config, 1);
  EXPECT_EQ(split.train.size() + split.validation.size() + split.test.size(), 50U);
  expect_usable(split.train.front(), config);
}

}  // namespace
}  // namespace leaf::data
