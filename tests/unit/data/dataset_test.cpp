#include "leaf/data/dataset.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

#include "leaf/core/error.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

class DatasetTest : public ::testing::Test {
 protected:
  DatasetTest() {
    config_.resolution = 8;
    write_png(pair_.image, test::picture(12, 16));
    write_png(pair_.mask, test::half_mask(12, 16));
  }

  test::TemporaryFolder folder_;
  Pair pair_{folder_ / "a.png", folder_ / "a_mask.png", "a", MaskRule::kThreshold};
  DataConfig config_;
};

TEST_F(DatasetTest, SampleHasShapesRangesAndSizes) {
  const Sample sample = Dataset({pair_}, config_).load(0);
  EXPECT_EQ(sample.image.sizes(), (std::vector<std::int64_t>{3, 8, 8}));
  EXPECT_EQ(sample.mask.sizes(), (std::vector<std::int64_t>{1, 8, 8}));
  EXPECT_LE(sample.image.max().item<float>(), 1.0F);
  EXPECT_GT(sample.image.max().item<float>(), 0.5F);
  EXPECT_EQ(sample.mask.sum().item<float>(), 32.0F);
  EXPECT_EQ(sample.mask[0][0][0].item<float>(), 1.0F);
  EXPECT_EQ(sample.name, "a");
  EXPECT_EQ(sample.height, 12);
  EXPECT_EQ(sample.width, 16);
}

TEST_F(DatasetTest, ImagesAreReadWithTheIntensityOfTheConfiguration) {
  write_png(pair_.image, test::picture(12, 16).floor_divide(4).add(10));  // 10 to 72
  EXPECT_LT(Dataset({pair_}, config_).decoded(0).image.max().item<int>(), 80);
  config_.intensity.rule = IntensityRule::kRange;
  const Sample sample = Dataset({pair_}, config_).load(0);
  EXPECT_GT(sample.image.max().item<float>(), 0.5F);
  EXPECT_LT(sample.image.min().item<float>(), 0.2F);
}

TEST_F(DatasetTest, SizesMustAgree) {
  write_png(pair_.mask, test::half_mask(12, 15));
  const std::string message =
      test::message_of<DataError>([&] { Dataset({pair_}, config_).load(0); });
  EXPECT_NE(message.find("15x12"), std::string::npos) << message;
  EXPECT_NE(message.find("16x12"), std::string::npos) << message;
}

TEST_F(DatasetTest, OddMasksAreCountedOnce) {
  write_png(pair_.mask, test::half_mask(12, 16, 1));
  config_.cache_mb = 0;
  const Dataset dataset({pair_, pair_}, config_);
  EXPECT_TRUE(dataset.masks().lines().empty());
  dataset.load(0);
  dataset.load(0);
  const auto lines = dataset.masks().lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("a_mask.png' holds the values 0, 1, none above"), std::string::npos);
  EXPECT_FALSE(dataset.masks().complete());
  dataset.load_full(1);
  EXPECT_TRUE(dataset.masks().complete());
}

TEST_F(DatasetTest, AFullSampleIsTheSampleWithItsPair) {
  write_png(pair_.mask, test::half_mask(12, 16));
  const Dataset dataset({pair_}, config_);
  const FullSample full = dataset.load_full(0);
  const Sample sample = dataset.load(0);
  EXPECT_TRUE(full.sample.image.equal(sample.image));
  EXPECT_TRUE(full.sample.mask.equal(sample.mask));
  EXPECT_EQ(full.sample.name, "a");
  EXPECT_TRUE(full.pair.image.rgb.equal(test::picture(12, 16)));
  EXPECT_TRUE(full.pair.labels.equal(test::half_mask(12, 16, 1)));
}

TEST_F(DatasetTest, IgnoredPixelsAreBackgroundAndKnown) {
  const at::Tensor mask = test::half_mask(12, 16);
  mask.narrow(1, 0, 4).fill_(7);
  write_png(pair_.mask, mask);
  config_.mask_threshold = 0;
  config_.ignore_value = 7;
  const Sample sample = Dataset({pair_}, config_).load(0);
  EXPECT_EQ(sample.mask.sum().item<float>(), 16.0F);
  EXPECT_EQ(sample.ignored.sum().item<int>(), 16);
  EXPECT_EQ((sample.mask[0] * sample.ignored).sum().item<float>(), 0.0F);
}

TEST_F(DatasetTest, CacheOutlivesTheFilesUpToItsSize) {
  config_.resolution = 1000;  // 4 MB a sample
  config_.cache_mb = 5;
  Pair other = pair_;
  const Dataset dataset({pair_, other}, config_);
  const Sample first = dataset.load(0);
  dataset.load(1);
  std::filesystem::remove(pair_.image);
  EXPECT_TRUE(dataset.load(0).image.equal(first.image));
  EXPECT_THROW(dataset.load(1), DataError) << "the second sample does not fit";
}

TEST_F(DatasetTest, ManyThreadsGetTheSame) {
  const Dataset dataset({pair_, pair_, pair_}, config_);
  const Sample expected = Dataset({pair_}, config_).load(0);
  std::atomic<int> different = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < 12; ++i) {
        different += dataset.load(i % 3).image.equal(expected.image) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(different, 0);
}

}  // namespace
}  // namespace leaf::data
