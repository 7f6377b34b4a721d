#include "picture_bytes_made.h"

#include <webp/encode.h>
#include <webp/mux.h>

#include <memory>

#include "support/exif_bytes.h"

namespace leaf::test {
namespace {

void append(png_structp png, png_bytep data, std::size_t count) {
  static_cast<std::string*>(png_get_io_ptr(png))
      ->append(reinterpret_cast<const char*>(data), count);
}

void nothing(png_structp /*png*/) {}

/// Samples of one row, packed from the high bits on, 16 bits big-endian.
std::string packed_row(const at::Tensor& row, int depth) {
  const at::Tensor values = row.flatten().to(at::kLong).contiguous();
  const auto count = static_cast<std::size_t>(values.numel());
  std::string bytes((count * static_cast<std::size_t>(depth) + 7) / 8, '\0');
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<std::uint64_t>(values.const_data_ptr<std::int64_t>()[i]);
    for (int bit = 0; bit < depth; ++bit) {
      const std::size_t at = i * static_cast<std::size_t>(depth) + static_cast<std::size_t>(bit);
      if ((value >> (depth - 1 - bit) & 1) != 0) {
        bytes[at / 8] = static_cast<char>(bytes[at / 8] | 0x80 >> at % 8);
      }
    }
  }
  return bytes;
}

void set_chunks(png_structp png, png_infop info, const PngSpec& spec) {
  if (spec.colour == PNG_COLOR_TYPE_PALETTE) {
    std::vector<png_color> palette;
    for (int i = 0; i < 1 << spec.depth; ++i) {
      palette.push_back({static_cast<png_byte>(i * 7 + 1), static_cast<png_byte>(255 - i),
                         static_cast<png_byte>(i * 3)});
    }
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  }
  if (spec.significant > 0) {
    const auto bits = static_cast<png_byte>(spec.significant);
    const png_color_8 significant{bits, bits, bits, bits, bits};
    png_set_sBIT(png, info, &significant);
  }
  if (!spec.exif.empty()) {
    std::string copy = spec.exif;
    png_set_eXIf_1(png, info, static_cast<png_uint_32>(copy.size()),
                   reinterpret_cast<png_bytep>(copy.data()));
  }
  if (spec.per_metre > 0) {
    png_set_pHYs(png, info, spec.per_metre, spec.per_metre, PNG_RESOLUTION_METER);
  }
}

/// Puts the eXIf chunk in front of IEND.
std::string with_exif_at_end(std::string png) {
  const std::size_t chunk = png.find("eXIf") - 4;
  const auto byte = [&](std::size_t i) {
    return std::size_t{static_cast<unsigned char>(png[chunk + i])};
  };
  const std::size_t size = 12 + (byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3));
  const std::string moved = png.substr(chunk, size);
  png.erase(chunk, size);
  return png.insert(png.size() - 12, moved);
}

}  // namespace

std::string encode_png(const at::Tensor& samples, const PngSpec& spec) {
  std::string bytes;
  std::vector<std::string> rows;
  std::vector<png_bytep> pointers;
  for (std::int64_t y = 0; y < samples.size(0); ++y) {
    rows.push_back(packed_row(samples[y], spec.depth));
  }
  for (std::string& row : rows) {
    pointers.push_back(reinterpret_cast<png_bytep>(row.data()));
  }
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(png, &bytes, &append, &nothing);
  png_set_IHDR(png, info, static_cast<png_uint_32>(samples.size(1)),
               static_cast<png_uint_32>(samples.size(0)), spec.depth, spec.colour,
               spec.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  set_chunks(png, info, spec);
  png_write_info(png, info);
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return spec.exif_at_end ? with_exif_at_end(bytes) : bytes;
}

std::string bmp_header(std::int32_t width, std::int32_t height, int bits, int compression,
                       int colours, int header_bytes) {
  std::string header = little_endian(static_cast<unsigned>(header_bytes), 4) +
                       little_endian(static_cast<unsigned>(width), 4) +
                       little_endian(static_cast<unsigned>(height), 4) + little_endian(1, 2) +
                       little_endian(static_cast<unsigned>(bits), 2) +
                       little_endian(static_cast<unsigned>(compression), 4) + little_endian(0, 4) +
                       little_endian(4000, 4) + little_endian(2000, 4) +
                       little_endian(static_cast<unsigned>(colours), 4) + little_endian(0, 4);
  header.resize(40);
  return header;
}

std::string make_bmp(const std::string& header, const std::string& palette,
                     const std::string& pixels, std::int64_t stated_excess) {
  const auto offset = static_cast<unsigned>(14 + header.size() + palette.size());
  const auto size =
      static_cast<unsigned>(static_cast<std::int64_t>(offset + pixels.size()) + stated_excess);
  return "BM" + little_endian(size, 4) + little_endian(0, 4) + little_endian(offset, 4) + header +
         palette + pixels;
}

std::string encode_webp(const at::Tensor& rgb, int quality, const std::string& exif) {
  const at::Tensor pixels = rgb.contiguous();
  const auto width = static_cast<int>(pixels.size(1));
  const auto height = static_cast<int>(pixels.size(0));
  const auto stride = static_cast<int>(pixels.stride(0));
  const auto* data = pixels.const_data_ptr<std::uint8_t>();
  std::uint8_t* encoded = nullptr;
  std::size_t size = 0;
  const auto q = static_cast<float>(quality);
  if (pixels.size(2) == 4) {
    size = quality > 100 ? WebPEncodeLosslessRGBA(data, width, height, stride, &encoded)
                         : WebPEncodeRGBA(data, width, height, stride, q, &encoded);
  } else {
    size = quality > 100 ? WebPEncodeLosslessRGB(data, width, height, stride, &encoded)
                         : WebPEncodeRGB(data, width, height, stride, q, &encoded);
  }
  const std::unique_ptr<std::uint8_t, decltype(&WebPFree)> owner(encoded, &WebPFree);
  std::string bytes(reinterpret_cast<const char*>(encoded), size);
  if (exif.empty()) {
    return bytes;
  }
  const WebPData image{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  const WebPData chunk{reinterpret_cast<const std::uint8_t*>(exif.data()), exif.size()};
  WebPMux* mux = WebPMuxCreate(&image, 1);
  WebPMuxSetChunk(mux, "EXIF", &chunk, 1);
  WebPData whole{};
  WebPMuxAssemble(mux, &whole);
  WebPMuxDelete(mux);
  bytes.assign(reinterpret_cast<const char*>(whole.bytes), whole.size);
  WebPDataClear(&whole);
  return bytes;
}

}  // namespace leaf::test
