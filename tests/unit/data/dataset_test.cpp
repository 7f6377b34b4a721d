#include "leaf/data/dataset.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
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

  LoadedPair load_with_mask(const at::Tensor& mask, std::int64_t threshold = 128) {
    write_png(pair_.mask, mask);
    config_.mask_threshold = threshold;
    return load_pair(pair_, config_);
  }

  std::string captured_load(const Dataset& dataset, std::size_t index) {
    ::testing::internal::CaptureStderr();
    dataset.load(index);
    return ::testing::internal::GetCapturedStderr();
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

TEST_F(DatasetTest, MaskRules) {
  const at::Tensor labels = test::half_mask(12, 16);  // 255 on the left, 0 on the right
  labels[0][0].fill_(128);
  pair_.rule = MaskRule::kZeroIsTarget;
  LoadedPair loaded = load_with_mask(labels);
  EXPECT_TRUE(loaded.target.equal(labels.eq(0).to(at::kByte)));
  EXPECT_TRUE(loaded.mask_warning.empty());
  pair_.rule = MaskRule::kGreenChannel;
  const at::Tensor colour = at::zeros({12, 16, 3}, at::kByte);
  colour.select(2, 0).fill_(255);
  colour.select(2, 1).copy_(test::half_mask(12, 16));
  loaded = load_with_mask(colour);
  EXPECT_TRUE(loaded.target.equal(test::half_mask(12, 16, 1)));
}

TEST_F(DatasetTest, ZeroOneMasksAreCalledOut) {
  const LoadedPair wrong = load_with_mask(test::half_mask(12, 16, 1));
  EXPECT_EQ(wrong.target.sum().item<int>(), 0);
  EXPECT_NE(wrong.mask_warning.find("a_mask.png' holds the values 0, 1,"), std::string::npos)
      << wrong.mask_warning;
  EXPECT_NE(wrong.mask_warning.find("set data.mask_threshold: 0"), std::string::npos);
  const LoadedPair right = load_with_mask(test::half_mask(12, 16, 1), 0);
  EXPECT_TRUE(right.target.equal(test::half_mask(12, 16, 1)));
  EXPECT_TRUE(right.mask_warning.empty()) << right.mask_warning;
}

TEST_F(DatasetTest, GreyRegionsAreCalledOutButEdgesAreNot) {
  EXPECT_NE(load_with_mask(test::half_mask(12, 16, 200)).mask_warning.find("0, 200"),
            std::string::npos);
  const at::Tensor soft_edge = test::half_mask(12, 16);
  soft_edge[3].narrow(0, 7, 2).fill_(90);
  EXPECT_TRUE(load_with_mask(soft_edge).mask_warning.empty());
  EXPECT_TRUE(load_with_mask(at::zeros({12, 16}, at::kByte)).mask_warning.empty());
  pair_.rule = MaskRule::kZeroIsTarget;
  EXPECT_NE(load_with_mask(test::half_mask(12, 16, 1)).mask_warning.find("label map"),
            std::string::npos);
}

TEST_F(DatasetTest, WarnsOncePerDataset) {
  write_png(pair_.mask, test::half_mask(12, 16, 1));
  const Dataset dataset({pair_, pair_}, config_);
  EXPECT_NE(captured_load(dataset, 0).find("mask_threshold"), std::string::npos);
  EXPECT_EQ(captured_load(dataset, 1), "");
}

TEST_F(DatasetTest, MaskTurnsWithItsPhotograph) {
  write_jpeg(folder_ / "a.jpg", test::picture(12, 16), 100);
  const std::string jpeg = read_file(folder_ / "a.jpg");
  const std::string orientation_6(
      "\xFF\xE1\x00\x22"
      "Exif\0\0MM\x00\x2A\x00\x00\x00\x08\x00\x01"
      "\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00",
      36);
  write_file(folder_ / "a.jpg", jpeg.substr(0, 2) + orientation_6 + jpeg.substr(2));
  pair_.image = folder_ / "a.jpg";
  const LoadedPair stored = load_with_mask(test::half_mask(12, 16));
  EXPECT_EQ(size_of(stored.target), (ImageSize{16, 12}));
  EXPECT_EQ(stored.target[0].sum().item<int>(), 12) << "the left half is now the upper one";
  const at::Tensor displayed = test::half_mask(16, 12);
  EXPECT_TRUE(load_with_mask(displayed).target.equal(displayed.ne(0).to(at::kByte)));
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
