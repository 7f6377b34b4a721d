#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/dataset.h"
#include "leaf/data/image_io.h"
#include "support/exif_bytes.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

class LoadPairTest : public ::testing::Test {
 protected:
  /// An image of that size, as displayed, whose file is stored turned.
  void write_turned(std::int64_t height, std::int64_t width, int orientation) {
    const at::Tensor shown = test::picture(height, width);
    write_jpeg(pair_.image, undo_orientation(shown, orientation), 100);
    write_file(pair_.image,
               test::with_exif(read_file(pair_.image), static_cast<unsigned>(orientation), true));
  }

  LoadedPair load_with_mask(const at::Tensor& mask) {
    write_png(pair_.mask, mask);
    return load_pair(pair_, config_);
  }

  std::string error() {
    return test::message_of<DataError>([&] { load_pair(pair_, config_); });
  }

  test::TemporaryFolder folder_;
  Pair pair_{folder_ / "a.jpg", folder_ / "a_mask.png", "a", MaskRule::kThreshold};
  DataConfig config_;
};

bool is_either_way(const LoadedPair& loaded) {
  return loaded.remarks.size() == 1 && loaded.remarks[0].oddity == MaskOddity::kEitherWay;
}

TEST_F(LoadPairTest, MaskRules) {
  write_jpeg(pair_.image, test::picture(12, 16));
  const at::Tensor labels = test::half_mask(12, 16);  // 255 on the left, 0 on the right
  labels[0][0].fill_(128);
  pair_.rule = MaskRule::kZeroIsTarget;
  EXPECT_TRUE(load_with_mask(labels).labels.equal(labels.eq(0).to(at::kByte)));
  pair_.rule = MaskRule::kGreenChannel;
  const at::Tensor colour = at::zeros({12, 16, 3}, at::kByte);
  colour.select(2, 0).fill_(255);
  colour.select(2, 1).copy_(test::half_mask(12, 16));
  EXPECT_TRUE(load_with_mask(colour).labels.equal(test::half_mask(12, 16, 1)));
}

TEST_F(LoadPairTest, AMaskIsTurnedByTheRuleThatIsSet) {
  for (int orientation = 2; orientation <= 8; ++orientation) {
    for (const auto& [height, width] : {std::pair{12, 16}, std::pair{16, 16}}) {
      write_turned(height, width, orientation);
      const at::Tensor shown = test::half_mask(height, width);
      shown.narrow(0, 0, 3).fill_(0);
      const at::Tensor target = shown.ne(0).to(at::kByte);
      config_.mask_orientation = MaskOrientation::kStored;
      LoadedPair loaded = load_with_mask(undo_orientation(shown, orientation));
      EXPECT_TRUE(loaded.labels.equal(target)) << orientation;
      EXPECT_TRUE(loaded.remarks.empty());
      config_.mask_orientation = MaskOrientation::kDisplayed;
      loaded = load_with_mask(shown);
      EXPECT_TRUE(loaded.labels.equal(target)) << orientation;
      EXPECT_TRUE(loaded.remarks.empty());
    }
  }
}

TEST_F(LoadPairTest, LeftToItselfTheSizeDecidesAndWhatItCannotIsSaid) {
  const at::Tensor shown = test::half_mask(12, 16);
  write_turned(12, 16, 6);
  EXPECT_TRUE(load_with_mask(undo_orientation(shown, 6)).remarks.empty());
  EXPECT_TRUE(load_with_mask(undo_orientation(shown, 6)).labels.equal(shown.ne(0).to(at::kByte)));
  EXPECT_TRUE(load_with_mask(shown).labels.equal(shown.ne(0).to(at::kByte)));
  EXPECT_TRUE(load_with_mask(shown).remarks.empty());
  write_turned(12, 16, 3);  // the same size either way
  EXPECT_TRUE(load_with_mask(shown).labels.equal(shown.flip({0, 1}).ne(0).to(at::kByte)));
  EXPECT_TRUE(is_either_way(load_with_mask(shown)));
  write_turned(16, 16, 8);
  EXPECT_TRUE(is_either_way(load_with_mask(test::half_mask(16, 16))));
  write_turned(16, 16, 1);
  EXPECT_TRUE(load_with_mask(test::half_mask(16, 16)).remarks.empty());
}

TEST_F(LoadPairTest, AMaskThatSaysItselfWhereUpIsNeedsNoRule) {
  write_turned(12, 16, 6);
  pair_.mask = folder_ / "a_mask.jpg";
  const at::Tensor shown = test::half_mask(12, 16);
  for (const int orientation : {3, 6, 8}) {
    write_jpeg(pair_.mask, undo_orientation(shown, orientation), 100);
    write_file(pair_.mask,
               test::with_exif(read_file(pair_.mask), static_cast<unsigned>(orientation), false));
    for (const auto rule : {MaskOrientation::kAuto, MaskOrientation::kStored}) {
      config_.mask_orientation = rule;
      const LoadedPair loaded = load_pair(pair_, config_);
      EXPECT_TRUE(loaded.labels.equal(shown.ne(0).to(at::kByte))) << orientation;
      EXPECT_TRUE(loaded.remarks.empty());
    }
  }
}

TEST_F(LoadPairTest, ASizeThatFitsTheOtherWayIsToldSo) {
  write_turned(12, 16, 6);
  write_png(pair_.mask, test::half_mask(12, 16));
  config_.mask_orientation = MaskOrientation::kStored;
  EXPECT_NE(error().find("is 16x12 but its image"), std::string::npos) << error();
  EXPECT_NE(error().find("set DataConfig::mask_orientation: auto"), std::string::npos) << error();
  write_png(pair_.mask, test::half_mask(12, 15));
  EXPECT_NE(error().find("pair the right files"), std::string::npos) << error();
}

/// 40x60 of background with a disc of 8x10 at (20, 30) and a cup in its middle.
at::Tensor label_map() {
  const at::Tensor labels = at::full({40, 60}, 255, at::kByte);
  labels.slice(0, 20, 28).slice(1, 30, 40).fill_(128);
  labels.slice(0, 23, 25).slice(1, 34, 36).fill_(0);
  return labels;
}

class CropTest : public LoadPairTest {
 protected:
  CropTest() {
    pair_.rule = MaskRule::kZeroIsTarget;
    pair_.image = folder_ / "a.png";
    config_.crop = Crop::kDisc;
    write_png(pair_.image, test::picture(40, 60));
  }
};

TEST_F(CropTest, ImageAndMaskAreCutRoundTheDisc) {
  const LoadedPair loaded = load_with_mask(label_map());
  EXPECT_EQ(size_of(loaded.image.rgb), (ImageSize{20, 20}));  // 10 and half of that on each side
  EXPECT_TRUE(loaded.image.rgb.equal(test::picture(40, 60).slice(0, 14, 34).slice(1, 25, 45)));
  EXPECT_EQ(loaded.labels.sum().item<int>(), 4);
  EXPECT_EQ(loaded.labels.slice(0, 9, 11).slice(1, 9, 11).sum().item<int>(), 4);
  config_.crop_margin = 0;
  EXPECT_EQ(size_of(load_with_mask(label_map()).labels), (ImageSize{10, 10}));
}

TEST_F(CropTest, ACropStaysInThePicture) {
  config_.crop_margin = 1;  // 30 on a side
  const LoadedPair corner = load_with_mask(label_map().flip({0, 1}));
  EXPECT_EQ(size_of(corner.labels), (ImageSize{30, 30}));
  EXPECT_TRUE(corner.image.rgb.equal(test::picture(40, 60).slice(0, 1, 31).slice(1, 10, 40)));
  config_.crop_margin = 2;  // 50, more than there are rows
  EXPECT_EQ(size_of(load_with_mask(label_map()).labels), (ImageSize{40, 50}));
  config_.crop_margin = 1e9;
  EXPECT_EQ(size_of(load_with_mask(label_map()).labels), (ImageSize{40, 60}));
}

TEST_F(CropTest, AMapWithoutDiscIsNamed) {
  write_png(pair_.mask, at::full({40, 60}, 255, at::kByte));
  EXPECT_NE(error().find("a_mask.png' has no disc"), std::string::npos) << error();
}

TEST_F(CropTest, TheSampleIsThatOfTheCrop) {
  write_png(pair_.mask, label_map());
  config_.resolution = 20;
  const Sample sample = Dataset({pair_}, config_).load(0);
  EXPECT_EQ(sample.height, 20);
  EXPECT_EQ(sample.mask.sum().item<float>(), 4.0F);
}

}  // namespace
}  // namespace leaf::data
