#include "data/perceptual_hash.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "data/transforms.h"
#include "leaf/data/image_io.h"
#include "leaf_demo_data/phantom.h"
#include "support/temporary_folder.h"

namespace leaf::data {
TEST(PerceptualHash, CopiesAreNearIdenticalAndPicturesAreNot) {
  const at::Tensor picture = apps::make_phantom(96, 3, 1).image;
  const PictureHash hash = perceptual_hash(picture);
  const auto like = [&](const at::Tensor& other) {
    return is_near_identical(hash, perceptual_hash(other));
  };
  const test::TemporaryFolder folder;
  write_jpeg(folder / "copy.jpg", picture, 60);
  EXPECT_TRUE(like(read_image(folder / "copy.jpg").rgb));
  EXPECT_TRUE(like(resize_image(picture, 64)));
  EXPECT_TRUE(like((picture.to(at::kFloat) * 0.95).to(at::kByte)));
  EXPECT_FALSE(like(apps::make_phantom(96, 3, 2).image));
  EXPECT_FALSE(like(flip(picture, true, false)));
}

TEST(PerceptualHash, BitsSayWhereTheBrightnessRisesAndThumbnailsHowFar) {
  const auto ramp = [](int step) {
    return at::arange(0, 90 * step, step, at::kByte)
        .view({1, 90, 1})
        .expand({90, 90, 3})
        .contiguous();
  };
  const PictureHash flat = perceptual_hash(ramp(1));
  const PictureHash steep = perceptual_hash(ramp(2));
  EXPECT_EQ(flat.bits, ~std::uint64_t{0});
  EXPECT_EQ(flat.bits, steep.bits);
  EXPECT_FALSE(is_near_identical(flat, steep));
  const PictureHash blank = perceptual_hash(at::full({20, 20, 3}, 7, at::kByte));
  EXPECT_EQ(blank.bits, 0U);
  EXPECT_FALSE(is_near_identical(blank, blank));  // as blank slices of many volumes are
}

}  // namespace leaf::data
