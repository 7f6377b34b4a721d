#include "leaf/data/picture.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <opencv2/imgcodecs.hpp>

#include "data/exif.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "picture_bytes_made.h"
#include "support/exif_bytes.h"
#include "support/images.h"
#include "support/temporary_folder.h"
#include "tiff_writer.h"

namespace leaf::data {
namespace {

using test::bmp_header;
using test::encode_png;
using test::encode_webp;
using test::make_bmp;
using test::PngSpec;

std::string error_of(std::string_view bytes, const PictureLimits& limits = {}) {
  return test::message_of<DataError>([&] { decode_picture(bytes, "a.file", limits); });
}

void expect_error(std::string_view bytes, const std::string& text) {
  const std::string message = error_of(bytes);
  EXPECT_TRUE(message.starts_with("cannot read image 'a.file': ")) << message;
  EXPECT_NE(message.find(text), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

/// Whole numbers below 2^bits: int64 [H,W,C].
at::Tensor numbers(std::int64_t height, std::int64_t width, std::int64_t channels, int bits) {
  return at::arange(height * width * channels)
      .mul(40503)
      .add(977)
      .remainder(std::int64_t{1} << bits)
      .view({height, width, channels});
}

std::string jpeg_bytes(const at::Tensor& image, int quality = 92) {
  const test::TemporaryFolder folder;
  write_jpeg(folder / "a.jpg", image, quality);
  return read_file(folder / "a.jpg");
}

std::string opencv_jpeg(const at::Tensor& rgb, const std::vector<int>& options) {
  const at::Tensor dense = rgb.contiguous();
  const cv::Mat pixels(static_cast<int>(rgb.size(0)), static_cast<int>(rgb.size(1)), CV_8UC3,
                       dense.data_ptr());
  std::vector<unsigned char> bytes;
  cv::imencode(".jpg", pixels, bytes, options);
  return {bytes.begin(), bytes.end()};
}

TEST(Png, EveryColourTypeDepthAndInterlace) {
  struct Kind {
    int colour;
    int channels;
    std::vector<int> depths;
  };
  const std::vector<Kind> kinds = {{PNG_COLOR_TYPE_GRAY, 1, {1, 2, 4, 8, 16}},
                                   {PNG_COLOR_TYPE_PALETTE, 1, {1, 2, 4, 8}},
                                   {PNG_COLOR_TYPE_GRAY_ALPHA, 2, {8, 16}},
                                   {PNG_COLOR_TYPE_RGB, 3, {8, 16}},
                                   {PNG_COLOR_TYPE_RGB_ALPHA, 4, {8, 16}}};
  for (const Kind& kind : kinds) {
    for (const int depth : kind.depths) {
      for (const bool interlaced : {false, true}) {
        SCOPED_TRACE(std::to_string(kind.colour) + " " + std::to_string(depth));
        const at::Tensor samples = numbers(11, 13, kind.channels, depth);
        const PngSpec spec{.colour = kind.colour, .depth = depth, .interlaced = interlaced};
        const Picture picture = decode_picture(encode_png(samples, spec), "a.png");
        const bool palette = kind.colour == PNG_COLOR_TYPE_PALETTE;
        const int step = depth < 8 && !palette ? 255 / ((1 << depth) - 1) : 1;
        EXPECT_EQ(picture.samples.scalar_type(), depth == 16 ? at::kInt : at::kByte);
        EXPECT_TRUE(picture.samples.to(at::kLong).equal(samples * step));
        EXPECT_EQ(picture.bits, depth);
        EXPECT_EQ(picture.alpha, kind.channels % 2 == 0);
        EXPECT_EQ(picture.palette.size(), palette ? std::size_t{1} << depth : 0U);
        EXPECT_EQ(picture.format, PictureFormat::kPng);
        EXPECT_FALSE(picture.lossy);
      }
    }
  }
}

TEST(Png, SignificantBitsScaledOrAsTheyAre) {
  const at::Tensor twelve = numbers(9, 8, 1, 12);
  const at::Tensor scaled = twelve * 16 + twelve.floor_divide(256);  // as the standard says
  for (const at::Tensor& stored : {twelve, scaled, twelve * 16}) {
    const Picture picture =
        decode_picture(encode_png(stored, {.depth = 16, .significant = 12}), "a.png");
    EXPECT_EQ(picture.bits, 12);
    EXPECT_EQ(white_of(picture), 4095);
    EXPECT_TRUE(picture.samples.to(at::kLong).equal(twelve));
  }
  const at::Tensor opaque = at::cat({twelve, at::full_like(twelve, 65535)}, 2);
  const Picture with_alpha = decode_picture(
      encode_png(opaque, {.colour = PNG_COLOR_TYPE_GRAY_ALPHA, .depth = 16, .significant = 12}),
      "a.png");
  EXPECT_TRUE(with_alpha.samples.narrow(2, 0, 1).to(at::kLong).equal(twelve));
  const at::Tensor bytes = numbers(9, 8, 1, 8);
  const Picture plain = decode_picture(encode_png(bytes, {.significant = 5}), "a.png");
  EXPECT_TRUE(plain.samples.to(at::kLong).equal(bytes)) << "8 bits stay as they are";
}

TEST(Png, EveryCutFileIsRefused) {
  const std::string whole = encode_png(numbers(64, 64, 3, 8), {.colour = PNG_COLOR_TYPE_RGB});
  for (std::size_t size = 9; size < whole.size(); size += whole.size() / 50) {
    expect_error(std::string_view(whole).substr(0, size), "truncated or damaged (libpng: ");
  }
  std::string damaged = whole;
  damaged[whole.size() / 2] = static_cast<char>(damaged[whole.size() / 2] ^ 0x55);
  expect_error(damaged, "truncated or damaged (libpng: ");
}

TEST(Jpeg, CompleteWithoutItsEndMarkerIsRead) {
  const std::string whole = jpeg_bytes(test::picture(61, 83));
  ASSERT_TRUE(whole.ends_with("\xFF\xD9"));
  const Picture picture = decode_picture(whole, "a.jpg");
  EXPECT_TRUE(picture.lossy);
  const Picture open = decode_picture(std::string_view(whole).substr(0, whole.size() - 2), "a.jpg");
  EXPECT_TRUE(open.samples.equal(picture.samples));
  const Picture longer = decode_picture(whole + "and more", "a.jpg");
  EXPECT_TRUE(longer.samples.equal(picture.samples));
}

TEST(Jpeg, CutIsRefusedWithAndWithoutAnEndMarkerAppended) {
  const at::Tensor image = test::picture(128, 96);
  for (const int progressive : {0, 1}) {
    for (const int restart : {0, 4}) {
      const std::string whole = opencv_jpeg(image, {cv::IMWRITE_JPEG_PROGRESSIVE, progressive,
                                                    cv::IMWRITE_JPEG_RST_INTERVAL, restart});
      decode_picture(whole, "a.jpg");
      for (const double share : {0.15, 0.3, 0.6, 0.95}) {
        const auto size = static_cast<std::size_t>(static_cast<double>(whole.size()) * share);
        expect_error(whole.substr(0, size), "truncated or damaged");
        expect_error(whole.substr(0, size) + "\xFF\xD9", "truncated or damaged");
      }
    }
  }
}

TEST(Jpeg, AProgressiveFileThatEndsBetweenTwoScansIsRefused) {
  const std::string whole = opencv_jpeg(test::picture(64, 64), {cv::IMWRITE_JPEG_PROGRESSIVE, 1});
  const std::string scan = "\xFF\xDA";
  std::size_t scans = 0;
  for (std::size_t at = whole.find(scan); at != std::string::npos; at = whole.find(scan, at + 2)) {
    const std::size_t tables = whole.rfind("\xFF\xC4", at);  // its Huffman table goes as well
    if (scans++ > 0 && tables != std::string::npos) {
      expect_error(whole.substr(0, tables) + "\xFF\xD9", "its last scans are missing");
    }
  }
  EXPECT_GT(scans, 3U);
}

TEST(Jpeg, DamagedDataAreRefusedInLibjpegsWords) {
  std::string bytes = jpeg_bytes(test::picture(96, 96));
  bytes.insert(bytes.size() / 2, "\xFF\xD3");  // a restart marker where there are none
  expect_error(bytes, "truncated or damaged (libjpeg: Corrupt JPEG data");
  expect_error("\xFF\xD8\xFF\xE0nothing else", "libjpeg: ");
  std::string lossless = jpeg_bytes(test::picture(8, 8));
  lossless[lossless.find("\xFF\xC0") + 1] = '\xC3';
  expect_error(lossless, "JPEG pictures of this kind (libjpeg: Unsupported JPEG process");
}

TEST(Bmp, BitsPerPixelPaletteAndOrderOfRows) {
  const std::string palette("\1\2\3\0\xA\xB\xC\0\x14\x15\x16\0\x1E\x1F\x20\0", 16);
  // 3x2 pixels of 4 bits: 0 1 2 / 3 2 1, the bottom row first in the file
  const std::string rows("\x32\x10\0\0\x01\x20\0\0", 8);
  const Picture picture = decode_picture(make_bmp(bmp_header(3, 2, 4, 0, 4), palette, rows), "a");
  EXPECT_TRUE(picture.samples.flatten().to(at::kLong).equal(at::tensor({0, 1, 2, 3, 2, 1})));
  ASSERT_EQ(picture.palette.size(), 4U);
  EXPECT_EQ(picture.palette[1], (std::array<std::uint8_t, 3>{0xC, 0xB, 0xA}));
  EXPECT_EQ(picture.bits, 4);
  EXPECT_DOUBLE_EQ(picture.geometry.column_spacing, 0.25);
  EXPECT_DOUBLE_EQ(picture.geometry.row_spacing, 0.5);
  const Picture down = decode_picture(make_bmp(bmp_header(3, -2, 4, 0, 4), palette, rows), "a");
  EXPECT_TRUE(down.samples.equal(picture.samples.flip(0)));
}

TEST(Bmp, ColoursByMasksAndAlpha) {
  const std::string masks565 =
      test::little_endian(0xF800, 4) + test::little_endian(0x7E0, 4) + test::little_endian(0x1F, 4);
  const std::string pixels("\xFF\xFF\0\xF8\x1F\0\0\0", 8);  // white, red; blue, black
  const at::Tensor expected = at::tensor({0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0});
  const Picture five = decode_picture(make_bmp(bmp_header(2, 2, 16, 3), masks565, pixels), "a");
  EXPECT_TRUE(five.samples.flatten().to(at::kInt).equal(expected.to(at::kInt)));
  const std::string header = bmp_header(1, 1, 32, 3, 0, 56) + test::little_endian(0xFF, 4) +
                             test::little_endian(0xFF00, 4) + test::little_endian(0xFF0000, 4) +
                             test::little_endian(0xFF000000, 4);
  const Picture alpha = decode_picture(make_bmp(header, "", "\1\2\3\4"), "a");
  EXPECT_TRUE(alpha.alpha);
  EXPECT_TRUE(alpha.samples.flatten().to(at::kLong).equal(at::tensor({1, 2, 3, 4})));
  const Picture opaque = decode_picture(make_bmp(bmp_header(1, 1, 32), "", "\1\2\3\4"), "a");
  EXPECT_FALSE(opaque.alpha);
  EXPECT_TRUE(opaque.samples.flatten().to(at::kLong).equal(at::tensor({3, 2, 1})));
}

TEST(Bmp, RunLengthCodes) {
  const std::string palette(16 * 4, '\7');
  // bottom row 5 5 5 9 0 (run, plain), then a move of 1 right and 0 up in the next: 0 2 3 0 0
  const std::string runs8("\3\5\0\3\x9\0\7\0\0\0\0\2\1\0\1\2\1\3\0\1", 20);
  const Picture eight = decode_picture(make_bmp(bmp_header(5, 2, 8, 1, 16), palette, runs8), "a");
  EXPECT_TRUE(
      eight.samples.flatten().to(at::kLong).equal(at::tensor({0, 2, 3, 0, 0, 5, 5, 5, 9, 0})));
  const std::string runs4("\4\x12\0\0\0\4\x34\x56\0\1", 10);
  const Picture four = decode_picture(make_bmp(bmp_header(4, 2, 4, 2, 16), palette, runs4), "a");
  EXPECT_TRUE(four.samples.flatten().to(at::kLong).equal(at::tensor({3, 4, 5, 6, 1, 2, 1, 2})));
  expect_error(make_bmp(bmp_header(5, 2, 8, 1, 16), palette, runs8.substr(0, 6)),
               "its run-length data end early");
  expect_error(make_bmp(bmp_header(5, -2, 8, 1, 16), palette, runs8), "runs from top to bottom");
}

TEST(Bmp, TheSizeFieldMayBeWrongTheDataMayNot) {
  const std::string pixels(8 * 4, '\x55');
  const std::string header = bmp_header(2, 4, 24);
  EXPECT_EQ(decode_picture(make_bmp(header, "", pixels, 2), "a").samples.size(0), 4);
  EXPECT_EQ(decode_picture(make_bmp(header, "", pixels, -20), "a").samples.size(0), 4);
  EXPECT_EQ(decode_picture(make_bmp(header, "", pixels.substr(0, 30)), "a").samples.size(0), 4)
      << "the padding of the last row";
  expect_error(make_bmp(header, "", pixels.substr(0, 29)), "truncated or damaged");
  expect_error(make_bmp(bmp_header(2, 4, 24, 4), "", pixels), "compression 4 are not read");
}

TEST(Webp, LosslessLossyAndAlpha) {
  const at::Tensor rgb = test::picture(17, 23);
  const Picture exact = decode_picture(encode_webp(rgb, 101), "a.webp");
  EXPECT_TRUE(exact.samples.equal(rgb));
  EXPECT_FALSE(exact.lossy);
  EXPECT_EQ(exact.format, PictureFormat::kWebp);
  EXPECT_TRUE(decode_picture(encode_webp(rgb, 80), "a.webp").lossy);
  const at::Tensor alpha =
      at::arange(17 * 23).remainder(200).add(1).to(at::kByte).view({17, 23, 1});
  const Picture transparent = decode_picture(encode_webp(at::cat({rgb, alpha}, 2), 101), "a.webp");
  EXPECT_TRUE(transparent.alpha);
  EXPECT_TRUE(transparent.samples.equal(at::cat({rgb, alpha}, 2)));
  const std::string whole = encode_webp(rgb, 101);
  expect_error(std::string_view(whole).substr(0, whole.size() / 2),
               "truncated or damaged (libwebp: the file ends early)");
}

TEST(PictureLimit, IsCheckedInTheHeaderOfEveryFormat) {
  const test::TemporaryFolder folder;
  test::write_tiff(folder / "a.tif", {});
  const at::Tensor rgb = test::picture(20, 30);
  const std::vector<std::string> files = {
      encode_png(rgb, {.colour = PNG_COLOR_TYPE_RGB}), jpeg_bytes(rgb), read_file(folder / "a.tif"),
      make_bmp(bmp_header(4, 4, 24), "", std::string(48, 'x')), encode_webp(rgb, 101)};
  for (const std::string& bytes : files) {
    EXPECT_NO_THROW(decode_picture(bytes, "a.file", {.max_pixels = 1000}));
    const std::string message = error_of(bytes, {.max_pixels = 15});
    EXPECT_NE(message.find("the limit is 1.5e-05; shrink it, or raise the limit"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("PictureLimits::max_pixels"), std::string::npos) << message;
  }
}

TEST(PictureLimit, ASmallFileOfManyPixelsTakesNoMemory) {
  std::string bytes = encode_png(at::zeros({1, 1, 1}, at::kLong), {.depth = 1});
  bytes.replace(16, 8, std::string("\0\0\x75\x30\0\0\x75\x30", 8));  // 30000x30000
  bytes.replace(29, 4, std::string("\x4E\x5C\xC5\x17", 4));
  const std::string message = error_of(bytes);
  EXPECT_NE(message.find("30000x30000 pixels, 900.0 megapixels, and the limit is 100;"),
            std::string::npos)
      << message;
  EXPECT_NE(error_of(bytes, {.max_pixels = std::int64_t{1} << 62}).find("libpng"),
            std::string::npos)
      << "no more than a cut file where the limit allows it";
}

TEST(PictureOrientation, IsReportedForEveryFormatThatStatesIt) {
  const test::TemporaryFolder folder;
  const at::Tensor rgb = test::picture(12, 12);  // square: no size tells the turn
  for (unsigned orientation = 1; orientation <= 8; ++orientation) {
    const std::string exif = test::exif_block(orientation, orientation % 2 == 0);
    test::write_tiff(folder / "a.tif", {.orientation = static_cast<std::uint16_t>(orientation)});
    const PngSpec png{.colour = PNG_COLOR_TYPE_RGB, .exif = exif.substr(6)};
    PngSpec late = png;
    late.exif_at_end = true;
    for (const std::string& bytes :
         {test::with_exif(jpeg_bytes(rgb), orientation, true), read_file(folder / "a.tif"),
          encode_png(rgb, png), encode_png(rgb, late), encode_webp(rgb, 101, exif),
          encode_webp(rgb, 101, exif.substr(6))}) {
      write_file(folder / "turned", bytes);
      const Picture picture = read_picture(folder / "turned");
      EXPECT_EQ(picture.geometry.orientation, static_cast<int>(orientation));
      const LoadedImage image = read_image(folder / "turned");
      EXPECT_EQ(image.exif_orientation, static_cast<int>(orientation));
      const at::Tensor stored = picture.samples.expand({-1, -1, 3});
      EXPECT_TRUE(undo_orientation(image.rgb, image.exif_orientation)
                      .equal(stored.slice(0, 0, image.rgb.size(orientation >= 5 ? 1 : 0))));
      EXPECT_TRUE(image.rgb.equal(apply_orientation(stored, static_cast<int>(orientation))));
    }
  }
}

TEST(PictureGeometryStated, SpacingInMillimetres) {
  const Picture picture =
      decode_picture(encode_png(numbers(2, 2, 1, 8), {.per_metre = 5000}), "a.png");
  EXPECT_DOUBLE_EQ(picture.geometry.row_spacing, 0.2);
  EXPECT_DOUBLE_EQ(picture.geometry.column_spacing, 0.2);
  EXPECT_EQ(decode_picture(encode_png(numbers(2, 2, 1, 8), {}), "a.png").geometry.row_spacing, 0);
}

TEST(PictureFormats, OthersAreNamed) {
  expect_error("GIF89a rest", "it is a GIF picture; convert it to PNG");
  expect_error("P5\n3 3\n255\n", "PGM or PPM");
  expect_error(std::string("\0\0\0\x0CjP  \r\n", 10), "JPEG 2000");
  expect_error(std::string(344, '\0') + std::string("n+1\0", 4), "a NIfTI volume");
  expect_error("\x1F\x8B\x08", "gzip");
  expect_error("version https://git-lfs.github.com/spec/v1", "Git LFS");
  expect_error("this is no picture", "not an image in PNG, JPEG, TIFF, BMP, WebP or DICOM format");
  expect_error("", "the file is empty");
}

/// What was read before leaf had readers of its own.
at::Tensor by_opencv(const std::string& bytes) {
  const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  const cv::Mat bgr = cv::imdecode(raw, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  return at::from_blob(bgr.data, {bgr.rows, bgr.cols, 3}, at::kByte).flip(2).contiguous();
}

TEST(PictureFormats, WhatIsWrittenIsReadByOpenCv) {
  const test::TemporaryFolder folder;
  const at::Tensor rgb = test::picture(61, 83);
  write_png(folder / "rgb.png", rgb);
  write_png(folder / "grey.png", rgb.select(2, 1));
  write_file(folder / "wide.png",
             leaf::data::encode_png(at::arange(61 * 83, at::kInt).view({61, 83})));
  write_jpeg(folder / "rgb.jpg", rgb, 90);
  const auto read = [&](const char* name) {
    return cv::imread(folder / name, cv::IMREAD_UNCHANGED);
  };
  const cv::Mat colour = read("rgb.png");
  EXPECT_TRUE(at::from_blob(colour.data, {61, 83, 3}, at::kByte).flip(2).equal(rgb));
  EXPECT_TRUE(at::from_blob(read("grey.png").data, {61, 83}, at::kByte).equal(rgb.select(2, 1)));
  const cv::Mat wide = read("wide.png");
  ASSERT_EQ(wide.type(), CV_16UC1);
  EXPECT_TRUE(at::from_blob(wide.data, {61, 83}, at::kShort)
                  .to(at::kInt)
                  .view({-1})
                  .equal(at::arange(61 * 83, at::kInt)));
  const std::vector<int> quality{cv::IMWRITE_JPEG_QUALITY, 90};
  EXPECT_EQ(read_file(folder / "rgb.jpg"),
            opencv_jpeg(rgb.flip(2), quality));  // blue comes first there
}

TEST(PictureFormats, OrdinaryFilesAreReadAsByOpenCv) {
  const test::TemporaryFolder folder;
  std::vector<std::string> files;
  for (const int depth : {1, 2, 4, 8, 16}) {
    files.push_back(encode_png(numbers(19, 31, 1, depth), {.depth = depth}));
  }
  for (const int depth : {1, 2, 4, 8}) {
    files.push_back(
        encode_png(numbers(19, 31, 1, depth), {.colour = PNG_COLOR_TYPE_PALETTE, .depth = depth}));
  }
  for (const int depth : {8, 16}) {
    files.push_back(
        encode_png(numbers(19, 31, 3, depth), {.colour = PNG_COLOR_TYPE_RGB, .depth = depth}));
    files.push_back(encode_png(numbers(19, 31, 4, depth),
                               {.colour = PNG_COLOR_TYPE_RGB_ALPHA, .depth = depth}));
    files.push_back(encode_png(numbers(19, 31, 2, depth),
                               {.colour = PNG_COLOR_TYPE_GRAY_ALPHA, .depth = depth}));
  }
  const at::Tensor rgb = test::picture(61, 83);
  for (const int quality : {30, 75, 95, 100}) {
    for (const int progressive : {0, 1}) {
      files.push_back(opencv_jpeg(
          rgb, {cv::IMWRITE_JPEG_QUALITY, quality, cv::IMWRITE_JPEG_PROGRESSIVE, progressive}));
    }
  }
  files.push_back(jpeg_bytes(rgb.select(2, 0)));  // grey
  for (const test::TiffSpec& spec :
       std::vector<test::TiffSpec>{{},
                                   {.photometric = PHOTOMETRIC_MINISWHITE},
                                   {.bits = 1},
                                   {.bits = 1, .photometric = PHOTOMETRIC_MINISWHITE},
                                   {.photometric = PHOTOMETRIC_RGB, .colours = 3},
                                   {.photometric = PHOTOMETRIC_RGB, .colours = 3, .planar = true},
                                   {.photometric = PHOTOMETRIC_RGB,
                                   .colours = 3,
                                   .compression = COMPRESSION_LZW,
                                   .tiled = true},
                                   {.photometric = PHOTOMETRIC_PALETTE},
                                   {.photometric = PHOTOMETRIC_RGB,
                                   .colours = 3,
                                   .compression = COMPRESSION_JPEG,
                                   .smooth = true},
                                   {.photometric = PHOTOMETRIC_YCBCR,
                                   .colours = 3,
                                   .compression = COMPRESSION_JPEG,
                                   .smooth = true},
                                   {.photometric = PHOTOMETRIC_YCBCR, .colours = 3, .smooth = true},
                                   {.bits = 16},
                                   {.bits = 16, .big_endian = true},
                                   {.bits = 16, .photometric = PHOTOMETRIC_RGB, .colours = 3}}) {
    test::write_tiff(folder / "a.tif", spec);
    files.push_back(read_file(folder / "a.tif"));
  }
  std::string ramp;
  for (int i = 0; i < 256; ++i) {
    ramp += std::string{static_cast<char>(i), static_cast<char>(255 - i), static_cast<char>(i / 2),
                        '\0'};
  }
  const std::string noise = read_file(folder / "a.tif").substr(8, 300);
  files.push_back(make_bmp(bmp_header(10, 10, 24), "", noise + std::string(100, 'z')));
  files.push_back(make_bmp(bmp_header(9, -7, 8), ramp, noise));
  files.push_back(make_bmp(bmp_header(5, 5, 32), "", noise));
  files.push_back(encode_webp(rgb, 101));
  files.push_back(encode_webp(rgb, 70));
  for (std::size_t i = 0; i < files.size(); ++i) {
    write_file(folder / "a", files[i]);
    EXPECT_TRUE(read_image(folder / "a").rgb.equal(by_opencv(files[i]))) << "file " << i;
  }
}

}  // namespace
}  // namespace leaf::data
