#include "data/augment.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <set>

#include "support/images.h"

namespace leaf::data {
namespace {

constexpr std::int64_t kSide = 32;

/// A picture whose bright square is its mask, off the centre.
Pixels square() {
  Pixels pixels{at::full({kSide, kSide, 3}, 40, at::kByte), at::zeros({kSide, kSide}, at::kByte)};
  pixels.image.narrow(0, 4, 8).narrow(1, 10, 12).fill_(200);
  pixels.mask.narrow(0, 4, 8).narrow(1, 10, 12).fill_(1);
  return pixels;
}

RandomStream draw(std::uint64_t index) { return {1, Purpose::kAugment, 0, index}; }

double largest_change(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kInt) - b.to(at::kInt)).abs().max().item<double>();
}

/// The image where it is clearly inside the square, as a mask.
at::Tensor bright(const Pixels& pixels) { return pixels.image.select(2, 0).gt(120); }

}  // namespace

TEST(Augment, NothingIsChangedByDefault) {
  const Pixels before{test::picture(kSide, kSide), square().mask};
  const Pixels after = augment(before, {}, draw(1));
  EXPECT_TRUE(at::equal(after.image, before.image));
  EXPECT_TRUE(at::equal(after.mask, before.mask));
  EXPECT_FALSE(Augmentation{}.is_continuous());
}

TEST(Augment, FollowsFromTheDrawAlone) {
  const Augmentation all{.quarter_turns = 0.5,
                         .scale_low = 0.7,
                         .scale_high = 1.4,
                         .brightness = 0.1,
                         .contrast = 0.2,
                         .hue = 0.1,
                         .blur = 1.5,
                         .noise = 0.05};
  const Pixels before{test::picture(kSide, kSide), square().mask};
  const at::Tensor image = before.image.clone();
  const Pixels a = augment(before, all, draw(1));
  const Pixels b = augment(before, all, draw(1));
  EXPECT_TRUE(at::equal(a.image, b.image));
  EXPECT_TRUE(at::equal(a.mask, b.mask));
  EXPECT_FALSE(at::equal(a.image, augment(before, all, draw(2)).image));
  EXPECT_TRUE(at::equal(before.image, image));  // shared with a cache
  EXPECT_LE(a.mask.max().item<int>(), 1);
}

TEST(Augment, QuarterTurnsAreThreeAndTurnBoth) {
  const Augmentation turns{.quarter_turns = 1};
  EXPECT_FALSE(turns.is_continuous());
  const Pixels before = square();
  std::set<int> seen;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const Pixels after = augment(before, turns, draw(i));
    int found = 0;
    for (const int k : {1, 2, 3}) {
      if (at::equal(after.mask, before.mask.rot90(k))) {
        found = k;
        EXPECT_TRUE(at::equal(after.image, before.image.rot90(k)));
      }
    }
    EXPECT_NE(found, 0);
    seen.insert(found);
  }
  EXPECT_EQ(seen.size(), 3U);
  const Augmentation half{.quarter_turns = 0.5};
  int still = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    still += at::equal(augment(before, half, draw(i)).mask, before.mask) ? 1 : 0;
  }
  EXPECT_NEAR(still, 100, 30);
}

TEST(Augment, ScalesImageAndMaskTogether) {
  const Pixels before = square();
  for (const double factor : {0.5, 1.5}) {
    const Augmentation scale{.scale_low = factor, .scale_high = factor};
    for (std::uint64_t i = 0; i < 10; ++i) {
      const Pixels after = augment(before, scale, draw(i));
      const at::Tensor apart = bright(after).ne(after.mask.gt(0));
      EXPECT_LE(apart.sum().item<int>(), 30) << factor;  // pixels of the outline
      EXPECT_FALSE(at::equal(after.mask, before.mask)) << factor;
    }
  }
  // A smaller picture has its mirror images beside it.
  const Augmentation half{.scale_low = 0.5, .scale_high = 0.5};
  EXPECT_GE(augment(before, half, draw(3)).mask.sum().item<int>(), 24);
  const Augmentation same{.scale_low = 1, .scale_high = 1};
  EXPECT_LE(largest_change(augment(before, same, draw(1)).image, before.image), 0);
}

TEST(Augment, ColoursLeaveTheMask) {
  const Pixels before = square();
  const auto changed = [&](const Augmentation& options) {
    EXPECT_TRUE(options.is_continuous());
    const Pixels after = augment(before, options, draw(5));
    EXPECT_TRUE(at::equal(after.mask, before.mask));
    EXPECT_FALSE(at::equal(after.image, before.image));
    return after.image;
  };
  const at::Tensor brighter = changed({.brightness = 0.2});
  EXPECT_LE(largest_change(brighter, before.image), 51);
  const at::Tensor difference = brighter.to(at::kInt) - before.image.to(at::kInt);
  EXPECT_EQ(difference.max().item<int>(), difference.min().item<int>());
  const at::Tensor contrast = changed({.contrast = 0.5}).to(at::kFloat);
  EXPECT_NEAR(contrast.mean().item<double>(), before.image.to(at::kFloat).mean().item<double>(),
              8);  // white stays white
  const at::Tensor noisy = changed({.noise = 0.1}).to(at::kFloat);
  EXPECT_LT((noisy - before.image).mean().abs().item<double>(), 2);
  changed({.blur = 3});
}

TEST(Augment, HueTurnsColoursAndLeavesGreys) {
  const Augmentation hue{.hue = 0.5};
  const Pixels grey = square();
  EXPECT_LE(largest_change(augment(grey, hue, draw(5)).image, grey.image), 1);
  Pixels red = square();
  red.image.select(2, 1).zero_();
  red.image.select(2, 2).zero_();
  const at::Tensor turned = augment(red, hue, draw(5)).image;
  EXPECT_GT(largest_change(turned, red.image), 20);
  // The largest of a pixel's three values is its brightness, which stays.
  EXPECT_LE(largest_change(turned.amax(2), red.image.amax(2)), 1);
}

}  // namespace leaf::data
