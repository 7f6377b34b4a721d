// Discovery, splits and loading on data sets as people download them; needs LEAF_DATA_DIR.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>

#include "core/csv.h"
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
};

void expect_usable(const Pair& pair, const DataConfig& config) {
  const Dataset dataset({pair}, config);
  const DecodedSample sample = dataset.decoded(0);
  EXPECT_TRUE(dataset.masks().lines(true).empty());
  const double share = sample.mask.to(at::kDouble).mean().item<double>();
  EXPECT_GT(share, 0.001);
  EXPECT_LT(share, 0.9);
}

TEST_F(RealData, CvcSplitsBySequence) {
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
  const DataConfig config = config_for("qata-cov19", "QaTa-layout-CXR");
  const SplitPairs split = split_pairs(config, 1);
  EXPECT_EQ(split.train.size() + split.validation.size(), 33U);
  EXPECT_EQ(split.test.size(), 11U);
  expect_usable(split.test.front(), config);
}

TEST_F(RealData, RefugeLabelMaps) {
  const DataConfig config = config_for("refuge2", "REFUGE2-layout-DrishtiGS");
  const SplitPairs split = split_pairs(config, 1);
  EXPECT_EQ(split.train.size() + split.validation.size() + split.test.size(), 50U);
  expect_usable(split.train.front(), config);
}

}  // namespace
}  // namespace leaf::data
