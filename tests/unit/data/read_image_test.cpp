#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "picture_bytes_made.h"
#include "support/images.h"
#include "support/temporary_folder.h"
#include "tiff_writer.h"

namespace leaf::data {
namespace {

constexpr Intensity kRange{IntensityRule::kRange};

class ReadImage : public ::testing::Test {
 protected:
  at::Tensor read(const Intensity& intensity = {}) {
    const LoadedImage image = read_image(file_, {.intensity = intensity, .limits = {}});
    return image.rgb.to(at::kLong);
  }

  void write_grey(const at::Tensor& values, const test::PngSpec& spec) {
    write_file(file_, test::encode_png(values.unsqueeze(2), spec));
  }

  at::Tensor grey(const Intensity& intensity = {}) {
    return read(intensity).select(2, 0).flatten();
  }

  std::string error(const Intensity& intensity = {}) {
    return test::message_of<DataError>([&] { read(intensity); });
  }

  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "a.img";
};

TEST_F(ReadImage, TwelveBitsInSixteenAreDarkInFullAndRightInRangeAndWindow) {
  const at::Tensor values = at::tensor({0, 1024, 2048, 4095}).view({2, 2});
  write_grey(values, {.depth = 16});
  EXPECT_TRUE(grey().equal(at::tensor({0, 4, 8, 15})));
  EXPECT_TRUE(grey(kRange).equal(at::tensor({0, 64, 128, 255})));
  EXPECT_TRUE(grey({IntensityRule::kWindow, 1024, 2048}).equal(at::tensor({0, 0, 255, 255})));
}

TEST_F(ReadImage, StatedSignificantBitsAreTheFullScale) {
  const at::Tensor values = at::tensor({0, 1024, 2048, 4095}).view({2, 2});
  write_grey(values * 16, {.depth = 16, .significant = 12});
  EXPECT_TRUE(grey().equal(at::tensor({0, 64, 128, 255})));
  test::write_tiff(file_, {.bits = 12});
  const at::Tensor wanted = test::samples_of({.bits = 12}).div(16).floor().to(at::kLong);
  EXPECT_TRUE(grey().equal(wanted.flatten()));
}

TEST_F(ReadImage, RangeStretchesAllColoursAlike) {
  const at::Tensor values = at::tensor({10, 20, 30, 40, 50, 60}).view({1, 2, 3});
  write_file(file_, test::encode_png(values, {.colour = PNG_COLOR_TYPE_RGB}));
  EXPECT_TRUE(read().equal(values));
  EXPECT_TRUE(read(kRange).flatten().equal(at::tensor({0, 51, 102, 153, 204, 255})));
  write_grey(at::full({2, 2}, 77, at::kLong), {});
  EXPECT_TRUE(grey(kRange).eq(0).all().item<bool>()) << "a uniform picture";
}

TEST_F(ReadImage, ColourUnderTransparencyIsAsStored) {
  const at::Tensor values = at::tensor({200, 100, 50, 0, 10, 20, 30, 255}).view({1, 2, 4});
  const at::Tensor colours = values.narrow(2, 0, 3);
  write_file(file_, test::encode_png(values, {.colour = PNG_COLOR_TYPE_RGB_ALPHA}));
  EXPECT_TRUE(read().equal(colours));
  EXPECT_EQ(read(kRange).min().item<std::int64_t>(), 0) << "alpha has no part in the range";
  for (const std::uint16_t alpha : {EXTRASAMPLE_ASSOCALPHA, EXTRASAMPLE_UNASSALPHA}) {
    const test::TiffSpec spec{.photometric = PHOTOMETRIC_RGB, .colours = 3, .extra = {alpha}};
    test::write_tiff(file_, spec);
    EXPECT_TRUE(read().equal(test::samples_of(spec).narrow(2, 0, 3).to(at::kLong)));
  }
}

TEST_F(ReadImage, FloatingPointFromZeroToOneOrByRange) {
  const test::TiffSpec spec{.bits = 32, .format = SAMPLEFORMAT_IEEEFP};
  test::write_tiff(file_, spec);
  const at::Tensor values = test::samples_of(spec).flatten();
  EXPECT_TRUE(grey().equal(values.mul(255).add(0.5).floor().to(at::kLong)));
  std::string bytes = read_file(file_);
  const float seven = 7;
  bytes.replace(8, sizeof(seven), reinterpret_cast<const char*>(&seven), sizeof(seven));
  write_file(file_, bytes);
  EXPECT_NE(error().find("its values reach from 0 to 7, beyond 0 to 1; train with "
                         "DataConfig::intensity: range, or window with Intensity::low and high"),
            std::string::npos)
      << error();
  EXPECT_EQ(grey(kRange)[0].item<std::int64_t>(), 255);
  const float none = std::nanf("");
  bytes.replace(8, sizeof(none), reinterpret_cast<const char*>(&none), sizeof(none));
  write_file(file_, bytes);
  for (const Intensity& intensity :
       {Intensity{}, kRange, Intensity{IntensityRule::kWindow, 0, 1}}) {
    EXPECT_NE(error(intensity).find("not finite"), std::string::npos);
  }
}

TEST_F(ReadImage, SignedValuesWantARangeOrWindow) {
  const test::TiffSpec spec{.bits = 16, .format = SAMPLEFORMAT_INT};
  test::write_tiff(file_, spec);
  EXPECT_NE(error().find("its values reach from -3"), std::string::npos) << error();
  const at::Tensor values = test::samples_of(spec).flatten();
  const at::Tensor wanted = values.add(1000).mul(255.0 / 2000).clamp(0, 255).add(0.5).floor();
  EXPECT_TRUE(grey({IntensityRule::kWindow, -1000, 1000}).equal(wanted.to(at::kLong)));
}

}  // namespace
}  // namespace leaf::data
