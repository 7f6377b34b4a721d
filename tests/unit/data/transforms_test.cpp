#include "data/transforms.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/data/image_io.h"
#include "leaf/data/mask_values.h"
#include "support/fixture.h"
#include "support/images.h"

namespace leaf::data {
namespace {

using test::fixture;

TEST(Transforms, ResizeIsPillowsWithinOneGreyLevel) {
  const at::Tensor input = read_image(fixture("data/resize_input.png")).rgb;
  for (const int size : {16, 48}) {
    const at::Tensor expected =
        read_image(fixture("data/resize_" + std::to_string(size) + ".png")).rgb.to(at::kInt);
    const at::Tensor actual = resize_image(input, size).to(at::kInt);
    ASSERT_EQ(actual.sizes(), expected.sizes());
    EXPECT_LE((actual - expected).abs().max().item<int>(), 1) << size;
  }
}

TEST(Transforms, MaskResizeIsPillowsNearest) {
  EXPECT_TRUE(resize_mask_nearest(read_mask(fixture("data/mask_input.png")), 16)
                  .equal(read_mask(fixture("data/mask_16.png"))));
}

TEST(Transforms, MaskResizeTakesNearestExactCentres) {
  for (const auto& [height, width, size] : std::vector<std::array<std::int64_t, 3>>{
           {288, 384, 256}, {7, 5, 16}, {1, 3, 4}, {100, 100, 100}}) {
    const at::Tensor mask = at::randint(0, 256, {height, width}, at::kByte);
    const at::Tensor expected =
        at::_upsample_nearest_exact2d(mask.view({1, 1, height, width}), {size, size});
    EXPECT_TRUE(resize_mask_nearest(mask, size).equal(expected.view({size, size})));
  }
}

TEST(Transforms, ToTensorIsPlanarAndInUnitRange) {
  const at::Tensor rgb = test::picture(4, 6);
  const at::Tensor tensor = to_tensor(rgb);
  EXPECT_EQ(tensor.sizes(), (std::vector<std::int64_t>{3, 4, 6}));
  EXPECT_TRUE(tensor.is_contiguous());
  EXPECT_FLOAT_EQ(tensor[2][1][3].item<float>(), rgb[1][3][2].item<int>() / 255.0F);
  EXPECT_EQ(to_tensor(at::zeros({2, 4, 6, 3}, at::kByte)).sizes(),
            (std::vector<std::int64_t>{2, 3, 4, 6}));
}

TEST(Transforms, ProbabilityKeepsConstantsAndRange) {
  EXPECT_TRUE(
      at::allclose(resize_probability(at::full({8, 8}, 0.25), 11, 5), at::full({11, 5}, 0.25)));
  const at::Tensor half = test::half_mask(8, 8, 1).to(at::kFloat);
  const at::Tensor planes = at::rand({3, 8, 8});
  EXPECT_TRUE(resize_probability(planes, 11, 5)[1].equal(resize_probability(planes[1], 11, 5)));
  const at::Tensor larger = resize_probability(half, 32, 32);
  EXPECT_EQ(larger[16][0].item<float>(), 1.0F);
  EXPECT_EQ(larger[16][31].item<float>(), 0.0F);
  EXPECT_EQ(larger.gt(0.5).sum().item<int>(), 32 * 16);
}

TEST(Transforms, FlipEqualsLibTorchs) {
  for (const at::Tensor& pixels : {test::picture(5, 4), test::half_mask(5, 4)}) {
    EXPECT_TRUE(flip(pixels, true, false).equal(pixels.flip({1})));
    EXPECT_TRUE(flip(pixels, false, true).equal(pixels.flip({0})));
    EXPECT_TRUE(flip(pixels, true, true).equal(pixels.flip({0, 1})));
    EXPECT_TRUE(flip(pixels, false, false).equal(pixels));
  }
}

}  // namespace
}  // namespace leaf::data
