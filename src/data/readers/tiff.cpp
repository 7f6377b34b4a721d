#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "leaf/core/strings.h"
#include "reader.h"
#include "tiff_file.h"
#include "tiff_layout.h"
#include "tiff_samples.h"

namespace leaf::data {
namespace {

/// Strips are tiles as wide as the picture.
struct BlockShape {
  bool tiled = false;
  std::int64_t width = 0;
  std::int64_t height = 0;
};

BlockShape block_shape(const TiffFile& file, const TiffLayout& layout,
                       const PictureLimits& limits) {
  BlockShape shape{TIFFIsTiled(file.handle()) != 0, layout.width, 0};
  if (shape.tiled) {
    shape.width = file.field<std::uint32_t>(TIFFTAG_TILEWIDTH);
    shape.height = file.field<std::uint32_t>(TIFFTAG_TILELENGTH);
    check_size(shape.width, shape.height, limits);
    return shape;
  }
  const std::int64_t rows = file.field<std::uint32_t>(TIFFTAG_ROWSPERSTRIP);
  shape.height = std::clamp<std::int64_t>(rows, 1, layout.height);
  return shape;
}

/// Reads the strips or tiles of a page, one at a time.
class BlockReader {
 public:
  BlockReader(const TiffFile& file, const TiffLayout& layout, const PictureLimits& limits)
      : file_(file), layout_(layout), shape_(block_shape(file, layout, limits)) {
    samples_ = layout.planar ? 1 : layout.samples;
    row_bytes_ = (shape_.width * samples_ * layout.type.bits + 7) / 8;
    constexpr std::int64_t kReadBehind = 2;  // by unpack_samples
    buffer_.resize(static_cast<std::size_t>(shape_.height * row_bytes_ + kReadBehind));
  }

  void read_all(at::Tensor& target) {
    for (std::int64_t plane = 0; plane < (layout_.planar ? layout_.samples : 1); ++plane) {
      for (std::int64_t y = 0; y < layout_.height; y += shape_.height) {
        for (std::int64_t x = 0; x < layout_.width; x += shape_.width) {
          decode(x, y, plane);
          place(x, y, plane, target);
        }
      }
    }
  }

 private:
  /// Fills the buffer. The last strip is as high as the picture needs, tiles are always whole.
  void decode(std::int64_t x, std::int64_t y, std::int64_t plane) {
    TIFF* const handle = file_.handle();
    const auto column = static_cast<std::uint32_t>(x);
    const auto row = static_cast<std::uint32_t>(y);
    const auto sample = static_cast<std::uint16_t>(plane);
    const std::int64_t rows =
        shape_.tiled ? shape_.height : std::min(shape_.height, layout_.height - y);
    const tmsize_t wanted = rows * row_bytes_;
    const tmsize_t got =
        shape_.tiled ? TIFFReadEncodedTile(handle, TIFFComputeTile(handle, column, row, 0, sample),
                                           buffer_.data(), wanted)
                     : TIFFReadEncodedStrip(handle, TIFFComputeStrip(handle, row, sample),
                                            buffer_.data(), wanted);
    file_.require(got == wanted);
  }

  void place(std::int64_t x, std::int64_t y, std::int64_t plane, at::Tensor& target) const {
    const std::int64_t columns = std::min(shape_.width, layout_.width - x);
    const std::int64_t rows = std::min(shape_.height, layout_.height - y);
    const std::int64_t step = layout_.planar ? layout_.samples : 1;
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t first = ((y + i) * layout_.width + x) * layout_.samples + plane;
      unpack_samples(buffer_.data() + i * row_bytes_, layout_.type, columns * samples_, target,
                     first, step);
    }
  }

  const TiffFile& file_;
  const TiffLayout& layout_;
  BlockShape shape_;
  std::int64_t samples_ = 1;  ///< of a pixel in a block
  std::int64_t row_bytes_ = 0;
  std::vector<std::uint8_t> buffer_;
};

/// Lets libtiff make RGB of colours that it knows how to convert; alpha is lost.
at::Tensor read_converted(const TiffFile& file, const TiffLayout& layout) {
  TIFFRGBAImage image;
  std::array<char, 1024> message{};
  if (TIFFRGBAImageBegin(&image, file.handle(), 1, message.data()) == 0) {
    refuse_unread(str("TIFF pictures of this kind (libtiff: ", printable(message.data()), ")"));
  }
  image.req_orientation = image.orientation;  // as stored
  std::vector<std::uint32_t> pixels(static_cast<std::size_t>(layout.width * layout.height));
  const int succeeded =
      TIFFRGBAImageGet(&image, pixels.data(), static_cast<std::uint32_t>(layout.width),
                       static_cast<std::uint32_t>(layout.height));
  TIFFRGBAImageEnd(&image);
  file.require(succeeded != 0);
  at::Tensor samples = new_samples(layout.height, layout.width, 3, at::kByte);
  auto* target = samples.mutable_data_ptr<std::uint8_t>();
  for (const std::uint32_t pixel : pixels) {
    *target++ = static_cast<std::uint8_t>(TIFFGetR(pixel));
    *target++ = static_cast<std::uint8_t>(TIFFGetG(pixel));
    *target++ = static_cast<std::uint8_t>(TIFFGetB(pixel));
  }
  return samples;
}

/// Cyan, magenta, yellow and black, then perhaps alpha -> red, green and blue, then the same.
template <typename T>
at::Tensor ink_to_rgb(const at::Tensor& inks, std::int64_t white) {
  const std::int64_t channels = inks.size(2);
  at::Tensor rgb = new_samples(inks.size(0), inks.size(1), channels - 1, inks.scalar_type());
  const T* ink = inks.const_data_ptr<T>();
  T* target = rgb.mutable_data_ptr<T>();
  for (const T* end = ink + inks.numel(); ink != end; ink += channels) {
    for (int c = 0; c < 3; ++c) {
      *target++ = static_cast<T>((white - ink[3]) * (white - ink[c]) / white);
    }
    target = std::copy(ink + 4, ink + channels, target);
  }
  return rgb;
}

std::vector<std::array<std::uint8_t, 3>> palette_of(const TiffFile& file, std::int64_t bits) {
  std::uint16_t* red = nullptr;
  std::uint16_t* green = nullptr;
  std::uint16_t* blue = nullptr;
  if (TIFFGetField(file.handle(), TIFFTAG_COLORMAP, &red, &green, &blue) == 0) {
    refuse_damaged("it has no palette");
  }
  const std::size_t count = std::size_t{1} << bits;
  // Some programs write bytes where 16 bits belong.
  const auto is_byte = [](std::uint16_t v) { return v < 256; };
  const bool bytes = std::all_of(red, red + count, is_byte) &&
                     std::all_of(green, green + count, is_byte) &&
                     std::all_of(blue, blue + count, is_byte);
  const int shift = bytes ? 0 : 8;
  std::vector<std::array<std::uint8_t, 3>> palette;
  for (std::size_t i = 0; i < count; ++i) {
    palette.push_back({static_cast<std::uint8_t>(red[i] >> shift),
                       static_cast<std::uint8_t>(green[i] >> shift),
                       static_cast<std::uint8_t>(blue[i] >> shift)});
  }
  return palette;
}

PictureGeometry geometry_of(const TiffFile& file) {
  PictureGeometry geometry;
  const auto orientation = file.field<std::uint16_t>(TIFFTAG_ORIENTATION);
  geometry.orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
  const auto unit = file.field<std::uint16_t>(TIFFTAG_RESOLUTIONUNIT);
  if (unit == RESUNIT_INCH || unit == RESUNIT_CENTIMETER) {
    const double millimetres = unit == RESUNIT_INCH ? 25.4 : 10;
    geometry.row_spacing = spacing_of(file.field<float>(TIFFTAG_YRESOLUTION), millimetres);
    geometry.column_spacing = spacing_of(file.field<float>(TIFFTAG_XRESOLUTION), millimetres);
  }
  return geometry;
}

/// What the tags say about samples that are there as stored.
void interpret(const TiffFile& file, const TiffLayout& layout, Picture& picture) {
  const bool is_signed = layout.type.kind == SampleKind::kSigned;
  picture.bits = std::min<std::int64_t>(layout.type.bits, 32) - (is_signed ? 1 : 0);
  const std::int64_t white = (std::int64_t{1} << picture.bits) - 1;
  if (layout.photometric == PHOTOMETRIC_PALETTE) {
    picture.palette = palette_of(file, picture.bits);
    return;
  }
  if (layout.photometric == PHOTOMETRIC_MINISWHITE) {
    at::Tensor grey = picture.samples.narrow(2, 0, 1);  // not its alpha
    at::sub_out(grey, at::full({1}, white, picture.samples.scalar_type()), grey);
  }
  if (layout.photometric == PHOTOMETRIC_SEPARATED) {
    picture.samples = picture.bits == 8 ? ink_to_rgb<std::uint8_t>(picture.samples, white)
                                        : ink_to_rgb<std::int32_t>(picture.samples, white);
  }
  if (picture.samples.scalar_type() == at::kByte && picture.bits < 8) {
    spread_to_bytes(picture.samples, white);
  }
}

Picture decode_tiff(std::string_view bytes, const PictureLimits& limits) {
  // For strips of 4 inks and alpha in 64 bits each, and for directories.
  constexpr std::int64_t kLeast = 64'000'000;
  constexpr std::int64_t kBytesPerPixel = 40;
  const std::int64_t pixels = std::min(limits.max_pixels, std::int64_t{1} << 40);
  const TiffFile file(bytes, std::max(kLeast, kBytesPerPixel * pixels));
  const TiffLayout layout = describe_tiff(file, limits);
  Picture picture;
  picture.format = PictureFormat::kTiff;
  picture.lossy = layout.compression == COMPRESSION_JPEG ||
                  layout.compression == COMPRESSION_OJPEG || layout.compression == COMPRESSION_WEBP;
  if (layout.converted) {
    picture.samples = read_converted(file, layout);
  } else {
    picture.alpha = layout.alpha;
    picture.samples =
        new_samples(layout.height, layout.width, layout.samples, layout.type.tensor_type());
    BlockReader(file, layout, limits).read_all(picture.samples);
    interpret(file, layout, picture);
  }
  picture.geometry = geometry_of(file);
  picture.pages = std::max<std::int64_t>(1, TIFFNumberOfDirectories(file.handle()));
  return picture;
}

}  // namespace

Reader tiff_reader() {
  return {{".tif", ".tiff"},
          [](std::string_view bytes) {
            using std::string_view_literals::operator""sv;
            return bytes.starts_with("II*\0"sv) || bytes.starts_with("MM\0*"sv) ||
                   bytes.starts_with("II+\0"sv) || bytes.starts_with("MM\0+"sv);
          },
          &decode_tiff};
}

}  // namespace leaf::data
