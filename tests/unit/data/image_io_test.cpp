#include "leaf/data/image_io.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "support/fixture.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

using test::fixture;

at::Tensor bytes(const std::vector<int>& values, at::IntArrayRef shape) {
  return at::tensor(values).to(at::kByte).view(shape);
}

std::string read_error(const std::filesystem::path& path) {
  return test::message_of<DataError>([&] { read_image(path); });
}

/// 3 wide, 2 high: red, green, blue / three greys.
at::Tensor colours() {
  return bytes({255, 0, 0, 0, 255, 0, 0, 0, 255, 40, 40, 40, 128, 128, 128, 255, 255, 255},
               {2, 3, 3});
}

TEST(ImageIo, EveryFormatGivesRgb) {
  for (const char* name : {"rgb.png", "rgb.bmp", "rgb.tif", "palette.png", "rgba.png"}) {
    EXPECT_TRUE(read_image(fixture("data") / name).rgb.equal(colours())) << name;
  }
}

TEST(ImageIo, SixteenBitGreyBecomesEightBitRgb) {
  const at::Tensor grey = bytes({0, 40, 128, 200, 254, 255}, {2, 3});
  for (const char* name : {"grey16.png", "grey16.tif"}) {
    EXPECT_TRUE(read_image(fixture("data") / name).rgb.equal(grey.unsqueeze(2).expand({2, 3, 3})))
        << name;
  }
}

TEST(ImageIo, PngRoundTripInColourAndGrey) {
  const test::TemporaryFolder folder;
  write_png(folder / "deep/er/a.png", test::picture(9, 5));
  EXPECT_TRUE(read_image(folder / "deep/er/a.png").rgb.equal(test::picture(9, 5)));
  const at::Tensor mask = test::half_mask(9, 5);
  write_png(folder / "m.png", mask.t().contiguous().t());  // a view with strides of its own
  EXPECT_TRUE(read_image(folder / "m.png").rgb.select(2, 0).equal(mask));
}

TEST(ImageIo, MissingFolderEmptyAndForeignFilesAreNamed) {
  const test::TemporaryFolder folder;
  write_file(folder / "empty.png", "");
  write_file(folder / "text.png", "this is no picture");
  EXPECT_NE(read_error(folder / "gone.png").find("gone.png': no such file"), std::string::npos);
  EXPECT_NE(read_error(folder.path()).find("it is a folder"), std::string::npos);
  EXPECT_NE(read_error(folder / "empty.png").find("the file is empty"), std::string::npos);
  EXPECT_NE(read_error(folder / "text.png").find("not an image"), std::string::npos);
}

TEST(ImageIo, EveryTruncatedFileIsAnError) {
  const test::TemporaryFolder folder;
  write_png(folder / "a.png", test::picture(64, 64));
  write_jpeg(folder / "a.jpg", test::picture(64, 64));
  for (const char* name : {"a.png", "a.jpg"}) {
    const std::string whole = read_file(folder / name);
    for (const double share : {0.3, 0.6, 0.95}) {
      write_file(folder / "cut", whole.substr(0, static_cast<std::size_t>(whole.size() * share)));
      EXPECT_NE(read_error(folder / "cut").find("truncated"), std::string::npos) << name << share;
    }
  }
  for (const char* name : {"rgb.bmp", "rgb.tif"}) {
    const std::string whole = read_file(fixture("data") / name);
    for (const double share : {0.3, 0.6, 0.95}) {
      write_file(folder / "cut", whole.substr(0, static_cast<std::size_t>(whole.size() * share)));
      EXPECT_NE(read_error(folder / "cut").find("cut': "), std::string::npos) << name << share;
    }
  }
}

TEST(ImageIo, OverlayDrawsOutlinesOnly) {
  const at::Tensor grey = at::full({32, 32, 3}, 100, at::kByte);
  const at::Tensor mask = at::zeros({32, 32}, at::kByte);
  mask.slice(0, 8, 24).slice(1, 8, 24).fill_(1);
  const at::Tensor truth = at::zeros({32, 32}, at::kBool);
  truth.slice(0, 2, 6).slice(1, 2, 6).fill_(true);
  const at::Tensor picture = overlay(grey, mask, truth);
  EXPECT_TRUE(picture[8][12].equal(bytes({255, 220, 0}, {3})));
  EXPECT_TRUE(picture[2][3].equal(bytes({0, 220, 0}, {3})));
  EXPECT_TRUE(picture[16][16].equal(grey[16][16]));
  EXPECT_TRUE(grey.eq(100).all().item<bool>()) << "the input was drawn on";
}

TEST(ImageIo, ListIsNaturalRecursiveAndSkipsTheRest) {
  const test::TemporaryFolder folder;
  for (const char* name : {"10.png", "2.JPG", "notes.txt", ".hidden.png", "sub/1.tiff"}) {
    write_file(folder / name, "x");
  }
  const auto flat = list_images(folder.path(), false);
  ASSERT_EQ(flat.size(), 2U);
  EXPECT_EQ(flat[0].filename(), "2.JPG");
  EXPECT_EQ(flat[1].filename(), "10.png");
  EXPECT_EQ(list_images(folder.path(), true).size(), 3U);
  EXPECT_THROW(list_images(folder / "nowhere", true), DataError);
  make_folder(folder / "bare");
  EXPECT_THROW(list_images(folder / "bare", true), DataError);
}

TEST(ImageIo, NaturalOrder) {
  EXPECT_TRUE(natural_less("a2", "a10"));
  EXPECT_FALSE(natural_less("a10", "a2"));
  EXPECT_TRUE(natural_less("a", "b"));
  EXPECT_TRUE(natural_less("a", "a1"));
  EXPECT_FALSE(natural_less("x7", "x7"));
  EXPECT_NE(natural_less("x07", "x7"), natural_less("x7", "x07"));
}

}  // namespace
}  // namespace leaf::data
