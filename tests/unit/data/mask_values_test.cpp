#include "leaf/data/mask_values.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "leaf/core/error.h"
#include "leaf/data/image_io.h"
#include "support/images.h"
#include "support/picture_row.h"

namespace leaf::data {
namespace {

using test::picture_row;

using Palette = std::vector<std::array<std::uint8_t, 3>>;

/// Values in these shares of a 100x100 picture, one after the other.
Picture shares(const std::vector<std::pair<int, double>>& values) {
  Picture picture;
  picture.samples = at::zeros({100, 100, 1}, at::kByte);
  const at::Tensor flat = picture.samples.view({-1});
  std::int64_t begin = 0;
  for (const auto& [value, share] : values) {
    const auto count = static_cast<std::int64_t>(std::lround(share * 10000));
    flat.narrow(0, begin, count).fill_(value);
    begin += count;
  }
  return picture;
}

Picture with_palette(const std::vector<double>& indices, const Palette& palette) {
  Picture picture = picture_row(indices);
  picture.palette = palette;
  return picture;
}

MaskOptions with_threshold(std::int64_t threshold) {
  MaskOptions options;
  options.threshold = threshold;
  return options;
}

Mask read(const Picture& picture, std::int64_t threshold = 128) {
  return interpret_mask(picture, "a.png", with_threshold(threshold));
}

std::vector<int> target(const Picture& picture, std::int64_t threshold = 128) {
  const at::Tensor pixels = read(picture, threshold).labels.flatten();
  std::vector<int> values;
  for (std::int64_t i = 0; i < pixels.numel(); ++i) {
    values.push_back(pixels[i].item<int>());
  }
  return values;
}

/// What is said of a kind; "" where nothing is.
std::string remark(const Mask& mask, MaskOddity oddity) {
  for (const MaskRemark& remark : mask.remarks) {
    if (remark.oddity == oddity) {
      return remark.file + " " + remark.text;
    }
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

using Bits = std::vector<int>;

TEST(MaskValues, SixteenBitLabelsLoseNone) {
  std::vector<double> labels(301);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    labels[i] = static_cast<double>(i);
  }
  const Mask mask = read(picture_row(labels, at::kInt, 16), 0);
  EXPECT_EQ(mask.labels.sum().item<int>(), 300);
  EXPECT_TRUE(mask.values.values.equal(at::arange(301).to(at::kInt).view({1, 301})));
  EXPECT_TRUE(
      contains(remark(read(picture_row({0, 300, 7}, at::kInt, 16)), MaskOddity::kNoneAbove),
               "holds the values 0, 7, 300, none above DataConfig::mask_threshold 128 of 255 "
               "(here 32896)"));
}

TEST(MaskValues, TheThresholdIsAShareOfWhite) {
  EXPECT_EQ(target(picture_row({0, 128, 129, 255})), (Bits{0, 0, 1, 1}));
  EXPECT_EQ(target(picture_row({0, 32896, 32897, 65535}, at::kInt, 16)), (Bits{0, 0, 1, 1}));
  EXPECT_EQ(target(picture_row({0, 2055, 2056, 4095}, at::kInt, 12)), (Bits{0, 0, 1, 1}));
  EXPECT_EQ(target(picture_row({0, 0.5, 0.51, 1}, at::kFloat, 32)), (Bits{0, 0, 1, 1}));
  EXPECT_EQ(target(picture_row({0, 1e-6, 1, 3}, at::kFloat, 32), 0), (Bits{0, 1, 1, 1}));
  EXPECT_EQ(target(picture_row({0, 85, 170, 255}, at::kByte, 2)), (Bits{0, 0, 1, 1}));
  EXPECT_EQ(target(picture_row({0, 255}, at::kByte, 1)), (Bits{0, 1}));
}

TEST(MaskValues, BlackAndWhiteOf8BitsInALargerType) {
  EXPECT_EQ(target(picture_row({0, 255}, at::kInt, 16)), (Bits{0, 1}));
  EXPECT_EQ(target(picture_row({255, 0}, at::kInt, 32)), (Bits{1, 0}));
  EXPECT_EQ(target(picture_row({0, 255}, at::kFloat, 32)), (Bits{0, 1}));
  // A nearly empty map of probabilities is no such mask.
  EXPECT_EQ(target(picture_row({0, 200, 255}, at::kInt, 16)), (Bits{0, 0, 0}));
}

TEST(MaskValues, FewBitsAreQuotedAsTheFileHasThem) {
  const Mask mask = read(picture_row({0, 17, 34}, at::kByte, 4));
  EXPECT_TRUE(contains(remark(mask, MaskOddity::kNoneAbove), "holds the values 0, 1, 2, none"));
  EXPECT_EQ(target(picture_row({0, 17, 34}, at::kByte, 4), 0), (Bits{0, 1, 1}));
}

TEST(MaskValues, WhatIsNotFiniteIsRefused) {
  EXPECT_TRUE(contains(test::message_of<DataError>([] {
                         read(picture_row({0, NAN}, at::kFloat, 32));
                       }),
                       "mask 'a.png' holds values that are not finite"));
}

TEST(MaskValues, APaletteOfColoursCountsByIndex) {
  const Picture voc = with_palette({0, 1, 1}, {{0, 0, 0}, {128, 0, 0}, {0, 128, 0}});
  EXPECT_EQ(target(voc, 0), (Bits{0, 1, 1}));
  const Mask mask = read(voc);
  EXPECT_TRUE(contains(remark(mask, MaskOddity::kNoneAbove), "holds the palette's indices 0, 1"));
  EXPECT_TRUE(contains(remark(mask, MaskOddity::kPalette), "not the colours' brightness"));
  // Colours of the same brightness are told apart.
  EXPECT_TRUE(contains(remark(read(with_palette({0, 1, 2}, voc.palette), 0), MaskOddity::kSeveral),
                       "indices 0, 1, 2"));
}

TEST(MaskValues, APaletteOfGreysCountsByBrightness) {
  EXPECT_EQ(target(with_palette({0, 1}, {{0, 0, 0}, {255, 255, 255}})), (Bits{0, 1}));
  EXPECT_EQ(target(with_palette({0, 1}, {{255, 255, 255}, {0, 0, 0}})), (Bits{1, 0}));
  EXPECT_EQ(target(with_palette({0, 3}, {{0, 0, 0}, {9, 0, 0}, {0, 9, 0}, {255, 255, 255}})),
            (Bits{0, 1}));
  const Mask grey = read(with_palette({0, 1}, {{0, 0, 0}, {128, 128, 128}}));
  EXPECT_TRUE(contains(remark(grey, MaskOddity::kNoneAbove), "holds the values 0, 128, none"));
  EXPECT_EQ(remark(grey, MaskOddity::kPalette), "");
}

TEST(MaskValues, AlphaIsTheMaskOnlyWhereTheColourSaysNothing) {
  Picture picture = picture_row({7, 0, 7, 255});
  picture.samples = picture.samples.view({1, 2, 2});
  picture.alpha = true;
  EXPECT_EQ(target(picture), (Bits{0, 1}));
  EXPECT_TRUE(contains(remark(read(picture), MaskOddity::kAlphaTaken), "its alpha channel"));
  picture.samples = picture_row({255, 0, 0, 255}).samples.view({1, 2, 2});
  EXPECT_EQ(target(picture), (Bits{1, 0}));
  EXPECT_TRUE(contains(remark(read(picture), MaskOddity::kAlpha), "alpha is left out"));
  picture.samples = picture_row({255, 255, 0, 255}).samples.view({1, 2, 2});
  EXPECT_EQ(target(picture), (Bits{1, 0}));
  EXPECT_EQ(remark(read(picture), MaskOddity::kAlpha), "");
}

TEST(MaskValues, ColourByItsLargestOrItsGreenChannel) {
  Picture picture = picture_row({200, 0, 0, 0, 250, 0, 0, 0, 9});
  picture.samples = picture.samples.view({1, 3, 3});
  EXPECT_TRUE(
      mask_values(picture, "").values.equal(picture_row({200, 250, 9}).samples.view({1, 3})));
  EXPECT_TRUE(mask_values(picture, "", MaskChannel::kGreen)
                  .values.equal(picture_row({0, 250, 0}).samples.view({1, 3})));
}

TEST(MaskRemarks, MoreValuesThanTwoAreNamed) {
  const auto said = [](const std::vector<std::pair<int, double>>& values,
                       std::int64_t threshold = 128) {
    return remark(read(shares(values), threshold), MaskOddity::kSeveral);
  };
  for (const double border : {0.005, 0.02, 0.2}) {
    EXPECT_TRUE(contains(said({{1, 0.1}, {255, border}}), "holds the values 0, 1, 255;")) << border;
    EXPECT_TRUE(contains(said({{1, 0.1}, {255, border}}, 0), "DataConfig::ignore_value")) << border;
  }
  EXPECT_TRUE(contains(said({{1, 0.1}, {2, 0.1}}, 0), "holds the values 0, 1, 2;"));
  EXPECT_NE(said({{200, 0.3}}), "");
  EXPECT_NE(said({{128, 0.3}, {255, 0.3}}), "");
  // Two values; soft edges; what JPEG left near black and white, in a file without loss.
  EXPECT_EQ(said({{255, 0.3}}), "");
  EXPECT_EQ(said({{1, 0.3}}, 0), "");
  EXPECT_EQ(said({{255, 0.3}, {64, 0.01}, {128, 0.01}, {191, 0.01}}), "");
  EXPECT_EQ(said({{255, 0.3}, {11, 0.01}, {12, 0.01}, {5, 0.0002}}), "");
  EXPECT_EQ(said({{255, 0.3}, {254, 0.01}, {1, 0.02}, {2, 0.01}}), "");
}

TEST(MaskRemarks, ColoursThatBecomeOneValueAreNamed) {
  Picture picture = picture_row({255, 0, 0, 0, 255, 0, 0, 0, 0});
  picture.samples = picture.samples.view({1, 3, 3});
  EXPECT_TRUE(contains(remark(read(picture), MaskOddity::kColours), "largest channel is 255"));
  picture.samples = picture_row({255, 0, 0, 90, 0, 0, 0, 0, 0}).samples.view({1, 3, 3});
  EXPECT_EQ(remark(read(picture), MaskOddity::kColours), "");
}

TEST(MaskRemarks, NoiseTakenAsTargetIsNamed) {
  Picture noisy = shares({{255, 0.2}, {252, 0.02}, {1, 0.02}, {3, 0.01}});
  noisy.lossy = true;
  EXPECT_TRUE(contains(remark(read(noisy, 0), MaskOddity::kNoise),
                       "DataConfig::mask_threshold 0 takes it as target (3.00 % of the pixels)"));
  EXPECT_TRUE(read(noisy).remarks.empty());
  noisy.lossy = false;
  EXPECT_NE(remark(read(noisy, 0), MaskOddity::kNoise), "");
  EXPECT_TRUE(read(shares({{255, 0.2}}), 0).remarks.empty());
}

TEST(MaskRemarks, AnIgnoredValueIsNeitherTargetNorNamed) {
  const Picture picture = shares({{1, 0.2}, {255, 0.1}});
  MaskOptions options = with_threshold(0);
  options.ignore_value = 255;
  const Mask mask = interpret_mask(picture, "a.png", options);
  EXPECT_EQ(mask.labels.sum().item<int>(), 2000);
  EXPECT_EQ(mask.ignored.sum().item<int>(), 1000);
  EXPECT_TRUE(mask.remarks.empty());
  options.ignore_value = 9;
  EXPECT_FALSE(interpret_mask(picture, "a.png", options).ignored.defined());
}

TEST(MaskRemarks, AnIgnoredValueThatAByteDoesNotHoldIsNowhere) {
  MaskOptions options = with_threshold(0);
  options.ignore_value = 65535;  // 255 in the last eight bits
  const Mask mask = interpret_mask(shares({{255, 0.1}}), "a.png", options);
  EXPECT_FALSE(mask.ignored.defined());
  EXPECT_EQ(mask.labels.sum().item<int>(), 1000);
}

TEST(MaskValues, GreysOfFewBitsAreAsTheFileHasThem) {
  for (std::int64_t bits = 1; bits < 8; ++bits) {
    const int white = (1 << bits) - 1;
    std::vector<double> own;
    std::vector<double> spread;
    for (int value = 0; value <= white; ++value) {
      own.push_back(value);
      spread.push_back((value * 255 + white / 2) / white);
    }
    const MaskValues found =
        mask_values(picture_row(spread, at::kByte, bits), "a.tif", MaskChannel::kLabel);
    EXPECT_TRUE(found.values.flatten().to(at::kDouble).equal(at::tensor(own, at::kDouble))) << bits;
    EXPECT_EQ(found.white, white);
  }
}

TEST(MaskRemarks, SwappedTargetsAreNamed) {
  const at::Tensor inside = at::zeros({20, 20}, at::kByte);
  inside.slice(0, 8, 12).slice(1, 8, 12).fill_(255);
  const auto said = [](const at::Tensor& pixels, MaskRule rule, MaskOddity oddity) {
    Picture picture;
    picture.samples = pixels.unsqueeze(2);
    MaskOptions options;
    options.rule = rule;
    return remark(interpret_mask(picture, "a.png", options), oddity);
  };
  EXPECT_EQ(said(inside, MaskRule::kThreshold, MaskOddity::kBorder), "");
  EXPECT_EQ(said(test::half_mask(20, 20), MaskRule::kThreshold, MaskOddity::kBorder), "");
  const at::Tensor outside = 255 - inside;
  EXPECT_TRUE(contains(said(outside, MaskRule::kThreshold, MaskOddity::kBorder),
                       "along 100 % of the border"));
  EXPECT_EQ(said(outside, MaskRule::kZeroIsTarget, MaskOddity::kTurned), "");
  EXPECT_TRUE(
      contains(said(inside, MaskRule::kZeroIsTarget, MaskOddity::kTurned), "96.0 % are target"));
}

TEST(MaskRemarks, LabelMapsAndPages) {
  MaskOptions options;
  options.rule = MaskRule::kZeroIsTarget;
  EXPECT_TRUE(contains(
      remark(interpret_mask(picture_row({255, 1, 2, 255}), "a", options), MaskOddity::kLabels),
      "expected 0 (cup), 128 (disc) and 255 (background)"));
  EXPECT_EQ(
      remark(interpret_mask(picture_row({255, 0, 128, 255}), "a", options), MaskOddity::kLabels),
      "");
  Picture pages = picture_row({0, 255});
  pages.pages = 3;
  EXPECT_EQ(remark(read(pages), MaskOddity::kPages),
            "mask 'a.png' has 3 pages; the first is taken");
}

/// Files of make_mask_fixtures.py: the same discs, written in every way.
TEST(MaskFiles, EveryKindAndOrientationIsTheSameMask) {
  const auto folder = std::filesystem::path(LEAF_FIXTURES) / "data" / "masks";
  const auto load = [](const std::filesystem::path& file) {
    const bool labels = contains(file.filename().string(), "-labels");
    Mask mask = load_mask(file, with_threshold(labels ? 0 : 128));
    const int orientation = mask.orientation;
    return turned(std::move(mask), orientation);
  };
  const at::Tensor upright = load(folder / "upright-8bit.png").labels;
  const at::Tensor square = load(folder / "square-8bit.png").labels;
  EXPECT_EQ(upright.sum().item<int>(), 62);
  EXPECT_EQ(square.sum().item<int>(), 62);
  const auto files = list_images(folder, false);
  EXPECT_EQ(files.size(), 86U);
  for (const auto& file : files) {
    const bool is_upright = file.filename().string().starts_with("upright");
    EXPECT_TRUE(load(file).labels.equal(is_upright ? upright : square)) << file;
  }
}

}  // namespace
}  // namespace leaf::data
