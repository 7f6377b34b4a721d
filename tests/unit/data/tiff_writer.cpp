#include "tiff_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "leaf/core/strings.h"

namespace leaf::test {
namespace {

double made_up(const TiffSpec& spec, std::int64_t y, std::int64_t x, std::int64_t c) {
  if (spec.smooth) {
    return static_cast<double>(40 + 4 * y + 5 * x + 20 * c);
  }
  std::uint64_t mixed = static_cast<std::uint64_t>(y * 7919 + x * 104729 + c * 1299709 + 12345);
  mixed = (mixed ^ mixed >> 7) * 0x9E3779B97F4A7C15U;
  const std::uint64_t number = mixed >> 24;
  if (spec.format == SAMPLEFORMAT_IEEEFP) {
    return static_cast<double>(number % 1025) / 1024;  // any float holds that
  }
  const int bits = std::min<int>(spec.bits, spec.format == SAMPLEFORMAT_UINT ? spec.bits : 31);
  const auto value = static_cast<double>(number & ((std::uint64_t{1} << std::min(bits, 31)) - 1));
  return spec.format == SAMPLEFORMAT_INT ? value - std::ldexp(1.0, spec.bits - 1) : value;
}

/// One sample as the machine's bytes.
std::string encoded(double value, const TiffSpec& spec) {
  std::string bytes(spec.bits / 8, '\0');
  const auto put = [&](auto number) { std::memcpy(bytes.data(), &number, sizeof(number)); };
  if (spec.format == SAMPLEFORMAT_IEEEFP) {
    switch (spec.bits) {
      case 16:
        put(c10::Half(static_cast<float>(value)));
        break;
      case 32:
        put(static_cast<float>(value));
        break;
      default:
        put(value);
    }
    return bytes;
  }
  const auto number = static_cast<std::int64_t>(value);
  std::memcpy(bytes.data(), &number, bytes.size());  // the low bytes of two's complement
  static_assert(std::endian::native == std::endian::little);
  return bytes;
}

/// A row of samples: whole bytes each, or packed from the high bits on.
std::string row_of(const std::vector<double>& values, const TiffSpec& spec) {
  std::string row;
  if (spec.bits % 8 == 0) {
    for (const double value : values) {
      row += encoded(value, spec);
    }
    return row;
  }
  row.assign((values.size() * spec.bits + 7) / 8, '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t bit = 0; bit < spec.bits; ++bit) {
      const std::size_t at = i * spec.bits + bit;
      if ((static_cast<std::uint64_t>(values[i]) >> (spec.bits - 1 - bit) & 1) != 0) {
        row[at / 8] = static_cast<char>(row[at / 8] | 0x80 >> at % 8);
      }
    }
  }
  return row;
}

/// The bytes of a block of `height` x `width` pixels; beyond the picture its last pixels repeat.
std::string block_of(const at::Tensor& samples, const TiffSpec& spec, std::int64_t plane,
                     std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width) {
  const auto pixels = samples.accessor<double, 3>();
  std::string block;
  for (std::int64_t y = top; y < top + height; ++y) {
    std::vector<double> values;
    for (std::int64_t x = left; x < left + width; ++x) {
      for (std::int64_t c = 0; c < samples.size(2); ++c) {
        if (!spec.planar || c == plane) {
          values.push_back(
              pixels[std::min(y, samples.size(0) - 1)][std::min(x, samples.size(1) - 1)][c]);
        }
      }
    }
    block += row_of(values, spec);
  }
  return block;
}

void set_palette(TIFF* tiff, const TiffSpec& spec) {
  std::vector<std::vector<std::uint16_t>> map(3);
  for (std::int64_t i = 0; i < std::int64_t{1} << spec.bits; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      map[c].push_back(static_cast<std::uint16_t>(palette_colour(i)[c] * 257));
    }
  }
  TIFFSetField(tiff, TIFFTAG_COLORMAP, map[0].data(), map[1].data(), map[2].data());
}

constexpr std::uint32_t kTile = 16;
constexpr std::uint32_t kRowsPerStrip = 5;

void set_tags(TIFF* tiff, const TiffSpec& spec) {
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, spec.width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, spec.height);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, spec.bits);
  TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, spec.format);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, static_cast<std::uint16_t>(spec.samples()));
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, spec.photometric);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG,
               spec.planar ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, spec.compression);
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, spec.orientation);
  if (!spec.extra.empty()) {
    TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, static_cast<std::uint16_t>(spec.extra.size()),
                 spec.extra.data());
  }
  if (spec.predictor != PREDICTOR_NONE) {
    TIFFSetField(tiff, TIFFTAG_PREDICTOR, spec.predictor);
  }
  if (spec.photometric == PHOTOMETRIC_PALETTE) {
    set_palette(tiff, spec);
  }
  if (spec.photometric == PHOTOMETRIC_YCBCR && spec.compression == COMPRESSION_JPEG) {
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  } else if (spec.photometric == PHOTOMETRIC_YCBCR) {
    TIFFSetField(tiff, TIFFTAG_YCBCRSUBSAMPLING, 1, 1);
  }
  if (spec.tiled) {
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, kTile);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, kTile);
  } else {
    const bool jpeg = spec.compression == COMPRESSION_JPEG;  // wants multiples of 8 or 16 rows
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, jpeg ? kTile : kRowsPerStrip);
  }
}

void write_page(TIFF* tiff, const TiffSpec& spec) {
  set_tags(tiff, spec);
  const at::Tensor samples = samples_of(spec);
  std::uint32_t rows = kTile;
  if (!spec.tiled) {
    TIFFGetField(tiff, TIFFTAG_ROWSPERSTRIP, &rows);
  }
  const std::int64_t columns = spec.tiled ? kTile : spec.width;
  std::uint32_t index = 0;
  for (std::int64_t plane = 0; plane < (spec.planar ? spec.samples() : 1); ++plane) {
    for (std::int64_t y = 0; y < spec.height; y += rows) {
      for (std::int64_t x = 0; x < spec.width; x += columns, ++index) {
        const std::int64_t height =
            spec.tiled ? rows : std::min<std::int64_t>(rows, spec.height - y);
        std::string block = block_of(samples, spec, plane, y, x, height, columns);
        const auto bytes = static_cast<tmsize_t>(block.size());
        const tmsize_t written = spec.tiled
                                     ? TIFFWriteEncodedTile(tiff, index, block.data(), bytes)
                                     : TIFFWriteEncodedStrip(tiff, index, block.data(), bytes);
        ASSERT_EQ(written, bytes) << spec.text();
      }
    }
  }
  ASSERT_EQ(TIFFWriteDirectory(tiff), 1);
}

}  // namespace

std::string TiffSpec::text() const {
  return str(bits, " bits, format ", format, ", photometric ", photometric, ", ", samples(),
             " samples, compression ", compression, ", predictor ", predictor,
             planar ? ", planar" : "", tiled ? ", tiled" : "", big_endian ? ", big-endian" : "");
}

at::Tensor samples_of(const TiffSpec& spec) {
  at::Tensor samples = at::empty({spec.height, spec.width, spec.samples()}, at::kDouble);
  auto values = samples.accessor<double, 3>();
  for (std::int64_t y = 0; y < samples.size(0); ++y) {
    for (std::int64_t x = 0; x < samples.size(1); ++x) {
      for (std::int64_t c = 0; c < samples.size(2); ++c) {
        values[y][x][c] = made_up(spec, y, x, c);
      }
    }
  }
  return samples;
}

std::vector<std::uint8_t> palette_colour(std::int64_t i) {
  return {static_cast<std::uint8_t>(i * 37 + 3), static_cast<std::uint8_t>(255 - i * 11),
          static_cast<std::uint8_t>(i * 5)};
}

void write_tiff(const std::filesystem::path& path, const TiffSpec& spec) {
  TIFF* tiff = TIFFOpen(path.c_str(), spec.big_endian ? "wb" : "wl");
  ASSERT_NE(tiff, nullptr) << path;
  for (int page = 0; page < spec.pages; ++page) {
    write_page(tiff, spec);
  }
  TIFFClose(tiff);
}

}  // namespace leaf::test
