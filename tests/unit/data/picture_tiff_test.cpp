#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/picture.h"
#include "support/images.h"
#include "support/temporary_folder.h"
#include "tiff_writer.h"

namespace leaf::data {
namespace {

using test::TiffSpec;

/// What read_picture makes of the samples of `spec`, which are not converted to RGB by libtiff.
at::Tensor expected_samples(const TiffSpec& spec) {
  at::Tensor samples = test::samples_of(spec);
  const double white = std::ldexp(1.0, spec.bits) - 1;
  if (spec.photometric == PHOTOMETRIC_MINISWHITE) {
    samples.select(2, 0).neg_().add_(white);
  }
  if (spec.photometric == PHOTOMETRIC_SEPARATED) {
    const at::Tensor light = white - samples;
    const at::Tensor rgb = light.narrow(2, 0, 3).mul(light.narrow(2, 3, 1)).div(white).floor();
    samples = at::cat({rgb, samples.narrow(2, 4, samples.size(2) - 4)}, 2);
  }
  const bool spread = spec.bits < 8 && spec.photometric != PHOTOMETRIC_PALETTE;
  return spread ? samples.mul(255).div(white).add(0.5).floor() : samples;
}

at::ScalarType expected_type(const TiffSpec& spec) {
  if (spec.format == SAMPLEFORMAT_IEEEFP) {
    return at::kFloat;
  }
  return spec.format == SAMPLEFORMAT_UINT && spec.bits <= 8 ? at::kByte : at::kInt;
}

class TiffMatrix : public ::testing::Test {
 protected:
  void expect_right(const TiffSpec& spec) {
    SCOPED_TRACE(spec.text());
    test::write_tiff(file_, spec);
    const Picture picture = read_picture(file_);
    ++count_;
    EXPECT_EQ(picture.format, PictureFormat::kTiff);
    EXPECT_EQ(picture.samples.scalar_type(), expected_type(spec));
    EXPECT_EQ(picture.bits, std::min<int>(spec.bits, 32) - (spec.format == SAMPLEFORMAT_INT));
    EXPECT_EQ(picture.alpha, !spec.extra.empty());
    EXPECT_EQ(picture.palette.size(),
              spec.photometric == PHOTOMETRIC_PALETTE ? std::size_t{1} << spec.bits : 0U);
    ASSERT_TRUE(picture.samples.to(at::kDouble).equal(expected_samples(spec)));
  }

  /// In both byte orders, as strips and tiles, in one plane and several, with every compression.
  void expect_right_in_every_layout(TiffSpec spec) {
    const bool whole = spec.bits % 8 == 0;
    for (const std::uint16_t compression :
         {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS}) {
      for (int layout = 0; layout < 8; ++layout) {
        spec.compression = compression;
        spec.big_endian = (layout & 1) != 0;
        spec.tiled = (layout & 2) != 0;
        spec.planar = (layout & 4) != 0;
        if (spec.planar && spec.samples() == 1) {
          continue;
        }
        expect_right(spec);
        // libtiff 4.5 itself writes the floating-point predictor wrongly in the other byte order;
        // the files of tifffile (tests/parity) have it.
        const bool writable = spec.format != SAMPLEFORMAT_IEEEFP || !spec.big_endian;
        const bool predicts = writable && (compression == COMPRESSION_LZW ||
                                           compression == COMPRESSION_ADOBE_DEFLATE);
        if (predicts && whole) {
          spec.predictor =
              spec.format == SAMPLEFORMAT_IEEEFP ? PREDICTOR_FLOATINGPOINT : PREDICTOR_HORIZONTAL;
          expect_right(spec);
          spec.predictor = PREDICTOR_NONE;
        }
      }
    }
  }

  std::string error(const TiffSpec& spec) {
    test::write_tiff(file_, spec);
    return test::message_of<DataError>([&] { read_picture(file_); });
  }

  void expect_refused(const TiffSpec& spec, const std::string& text) {
    const std::string message = error(spec);
    EXPECT_NE(message.find(text), std::string::npos) << spec.text() << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }

  test::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "a.tif";
  int count_ = 0;
};

TEST_F(TiffMatrix, GreyOfEveryDepth) {
  for (const std::uint16_t bits : {1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 32}) {
    for (const std::uint16_t photometric : {PHOTOMETRIC_MINISBLACK, PHOTOMETRIC_MINISWHITE}) {
      if (photometric == PHOTOMETRIC_MINISBLACK || bits < 32) {
        expect_right_in_every_layout({.bits = bits, .photometric = photometric});
      }
    }
  }
  EXPECT_GE(count_, 300);
}

TEST_F(TiffMatrix, ColourAndAlphaOfEveryDepth) {
  for (const std::uint16_t bits : {2, 4, 8, 12, 16, 32}) {
    for (const std::uint16_t colours : {1, 3}) {
      const std::uint16_t photometric = colours == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
      for (const std::vector<std::uint16_t>& extra : {std::vector<std::uint16_t>{},
                                                      {EXTRASAMPLE_UNSPECIFIED},
                                                      {EXTRASAMPLE_ASSOCALPHA},
                                                      {EXTRASAMPLE_UNASSALPHA}}) {
        if (colours == 3 || !extra.empty()) {
          expect_right_in_every_layout(
              {.bits = bits, .photometric = photometric, .colours = colours, .extra = extra});
        }
      }
    }
  }
  EXPECT_GE(count_, 1000);
}

TEST_F(TiffMatrix, PalettesStayIndices) {
  for (const std::uint16_t bits : {1, 2, 4, 8}) {
    expect_right_in_every_layout({.bits = bits, .photometric = PHOTOMETRIC_PALETTE});
  }
  const Picture picture = read_picture(file_);
  for (const std::int64_t i : {0, 1, 77, 255}) {
    const std::vector<std::uint8_t> wanted = test::palette_colour(i);
    EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), picture.palette[i].begin())) << i;
  }
}

TEST_F(TiffMatrix, SignedAndFloatingPoint) {
  for (const std::uint16_t colours : {1, 3}) {
    const std::uint16_t photometric = colours == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
    for (const std::uint16_t bits : {8, 16, 32}) {
      expect_right_in_every_layout({.bits = bits,
                                    .format = SAMPLEFORMAT_INT,
                                    .photometric = photometric,
                                    .colours = colours});
    }
    for (const std::uint16_t bits : {16, 32, 64}) {
      expect_right_in_every_layout({.bits = bits,
                                    .format = SAMPLEFORMAT_IEEEFP,
                                    .photometric = photometric,
                                    .colours = colours});
    }
  }
}

TEST_F(TiffMatrix, InksBecomeRgb) {
  for (const std::uint16_t bits : {8, 16}) {
    for (const std::vector<std::uint16_t>& extra :
         {std::vector<std::uint16_t>{}, {EXTRASAMPLE_UNASSALPHA}}) {
      expect_right_in_every_layout(
          {.bits = bits, .photometric = PHOTOMETRIC_SEPARATED, .colours = 4, .extra = extra});
    }
  }
}

TEST_F(TiffMatrix, FaxAndRarerCompressions) {
  for (const std::uint16_t compression :
       {COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4}) {
    for (const std::uint16_t photometric : {PHOTOMETRIC_MINISWHITE, PHOTOMETRIC_MINISBLACK}) {
      for (const bool big_endian : {false, true}) {
        expect_right({.bits = 1,
                      .photometric = photometric,
                      .compression = compression,
                      .big_endian = big_endian});
      }
    }
  }
  for (const std::uint16_t compression : {COMPRESSION_LZMA, COMPRESSION_ZSTD}) {
    if (TIFFIsCODECConfigured(compression) != 0) {
      expect_right({.bits = 16, .compression = compression});
    }
  }
}

TEST_F(TiffMatrix, JpegInsideIsLossyAndNearTheOriginal) {
  for (const std::uint16_t photometric :
       {PHOTOMETRIC_MINISBLACK, PHOTOMETRIC_RGB, PHOTOMETRIC_YCBCR}) {
    for (const bool tiled : {false, true}) {
      const TiffSpec spec{
          .photometric = photometric,
          .colours = static_cast<std::uint16_t>(photometric == PHOTOMETRIC_MINISBLACK ? 1 : 3),
          .compression = COMPRESSION_JPEG,
          .tiled = tiled,
          .smooth = true};
      SCOPED_TRACE(spec.text());
      test::write_tiff(file_, spec);
      const Picture picture = read_picture(file_);
      EXPECT_TRUE(picture.lossy);
      const at::Tensor error = picture.samples.to(at::kDouble) - test::samples_of(spec);
      EXPECT_LT(error.abs().max().item<double>(), 16);
      EXPECT_LT(error.abs().mean().item<double>(), 3);
    }
  }
}

TEST_F(TiffMatrix, PlainYCbCrBecomesRgb) {
  test::write_tiff(file_, {.photometric = PHOTOMETRIC_YCBCR, .colours = 3, .smooth = true});
  const at::Tensor stored = test::samples_of({.colours = 3, .smooth = true});
  const Picture picture = read_picture(file_);
  const at::Tensor red = stored.select(2, 0) + 1.402 * (stored.select(2, 2) - 128);
  const at::Tensor error = picture.samples.select(2, 0).to(at::kDouble) - red.clamp(0, 255);
  EXPECT_LT(error.abs().max().item<double>(), 2);
}

TEST_F(TiffMatrix, WhatIsNotReadIsNamed) {
  expect_refused({.bits = 64}, "samples of 64 bits in TIFF are not read");
  expect_refused({.bits = 24}, "samples of 24 bits");
  expect_refused({.bits = 64, .format = SAMPLEFORMAT_COMPLEXIEEEFP}, "complex samples");
  expect_refused({.colours = 1, .extra = {0, 0}}, "3 samples a pixel");
  expect_refused({.photometric = PHOTOMETRIC_ICCLAB, .colours = 3}, "L*a*b*");
  expect_refused({.bits = 1, .photometric = PHOTOMETRIC_MASK}, "transparency masks");
  expect_refused({.bits = 16, .photometric = PHOTOMETRIC_CFA}, "raw camera data");
  expect_refused({.bits = 16, .photometric = PHOTOMETRIC_PALETTE}, "palettes of 16 bits");
}

TEST_F(TiffMatrix, NumbersBeyondThirtyOneBitsAreRefused) {
  test::write_tiff(file_, {.bits = 32, .format = SAMPLEFORMAT_INT});
  std::string bytes = read_file(file_);
  const std::string entry("\x53\x01\x03\x00\x01\x00\x00\x00\x02\x00", 10);  // SampleFormat: signed
  const std::size_t at = bytes.find(entry);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 8] = 1;  // unsigned
  const std::string message =
      test::message_of<DataError>([&] { decode_picture(bytes, "big.tif"); });
  EXPECT_NE(message.find("'big.tif': 32-bit samples above 2147483647"), std::string::npos)
      << message;
}

TEST_F(TiffMatrix, PagesAreCountedAndTheFirstIsRead) {
  test::write_tiff(file_, {.pages = 3});
  const Picture picture = read_picture(file_);
  EXPECT_EQ(picture.pages, 3);
  EXPECT_TRUE(picture.samples.to(at::kDouble).equal(test::samples_of({})));
}

TEST_F(TiffMatrix, EveryCutFileIsRefusedInOneLine) {
  for (const std::uint16_t compression :
       {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS,
        COMPRESSION_JPEG}) {
    test::write_tiff(file_, {.compression = compression, .smooth = true});
    const std::string bytes = read_file(file_);
    for (const double share : {0.1, 0.5, 0.9, 0.99}) {
      const auto size = static_cast<std::size_t>(static_cast<double>(bytes.size()) * share);
      const std::string message = test::message_of<DataError>(
          [&] { decode_picture(std::string_view(bytes).substr(0, size), "cut.tif"); });
      EXPECT_NE(message.find("'cut.tif': the file is truncated or damaged (libtiff: "),
                std::string::npos)
          << compression << " " << share << ": " << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }
}

}  // namespace
}  // namespace leaf::data
