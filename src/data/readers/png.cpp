#include <png.h>

#include <algorithm>
#include <array>
#include <bit>
#include <csetjmp>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <vector>

#include "data/exif.h"
#include "leaf/core/strings.h"
#include "reader.h"

namespace leaf::data {
namespace {

/// Decodes from memory. libpng leaves its calls by longjmp when something is wrong: they stand in
/// `attempt`, in functions whose variables need no destructor.
class PngFile {
 public:
  explicit PngFile(std::string_view bytes) : rest_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &PngFile::on_error, &ignore_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      throw std::bad_alloc();
    }
    png_set_read_fn(png_, this, &PngFile::take);
    constexpr png_uint_32 kAnySize = 0x7fffffff;  // check_size has the say
    png_set_user_limits(png_, kAnySize, kAnySize);
    // No chunk is longer than the file, whatever it states of itself: libpng would take that
    // memory.
    png_set_chunk_malloc_max(png_, std::max<png_alloc_size_t>(bytes.size(), 1U << 16U));
    skip_texts();
  }
  ~PngFile() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngFile(const PngFile&) = delete;
  PngFile& operator=(const PngFile&) = delete;

  template <typename Step>
  void attempt(const Step& step) {
    if (setjmp(png_jmpbuf(png_)) != 0) {  // NOLINT(cert-err52-cpp): libpng's way
      refuse_damaged(str("libpng: ", message_));
    }
    step(png_, info_);
  }

  png_structp png() const { return png_; }
  png_infop info() const { return info_; }

 private:
  static void on_error(png_structp png, png_const_charp message) {
    auto* file = static_cast<PngFile*>(png_get_error_ptr(png));
    std::strncpy(file->message_, message, sizeof(file->message_) - 1);
    png_longjmp(png, 1);
  }

  static void ignore_warning(png_structp /*png*/, png_const_charp /*message*/) {}

  static void take(png_structp png, png_bytep target, std::size_t count) {
    auto* file = static_cast<PngFile*>(png_get_io_ptr(png));
    if (count > file->rest_.size()) {
      png_error(png, "the file ends early");
    }
    std::memcpy(target, file->rest_.data(), count);
    file->rest_.remove_prefix(count);
  }

  /// Texts and colour profiles may be compressed and large; nobody asks for them.
  void skip_texts() {
    static constexpr png_byte kSkipped[] = "iCCP\0iTXt\0tEXt\0zTXt\0sPLT\0hIST";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kSkipped, sizeof(kSkipped) / 5);
  }

  std::string_view rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  char message_[128] = {};
};

/// Bytes of 16-bit samples, in the second half of rows of 32-bit samples, become those.
void widen_rows(at::Tensor& samples) {
  const std::int64_t count = samples.size(1) * samples.size(2);
  auto* row = samples.mutable_data_ptr<std::int32_t>();
  for (std::int64_t y = 0; y < samples.size(0); ++y, row += count) {
    const auto* narrow = reinterpret_cast<const char*>(row) + 2 * count;
    for (std::int64_t i = 0; i < count; ++i) {
      std::uint16_t value = 0;
      std::memcpy(&value, narrow + 2 * i, sizeof(value));
      row[i] = value;
    }
  }
}

/// The significant bits of 16-bit samples, where the file states fewer (sBIT).
std::int64_t significant_bits(const PngFile& file) {
  png_color_8p stated = nullptr;
  if (png_get_sBIT(file.png(), file.info(), &stated) == 0) {
    return 16;
  }
  const bool colour = (png_get_color_type(file.png(), file.info()) & PNG_COLOR_MASK_COLOR) != 0;
  const int bits =
      colour ? std::max({stated->red, stated->green, stated->blue}) : int{stated->gray};
  return bits > 8 && bits < 16 ? bits : 16;
}

/// PNG wants samples of fewer significant bits scaled to all 16; there are files that hold them
/// as they are. Those have no colour above 2^bits - 1, and low bits that scaling would not give.
void keep_significant_bits(Picture& picture) {
  const std::int64_t bits = picture.bits;
  const std::int64_t shift = 16 - bits;
  auto* value = picture.samples.mutable_data_ptr<std::int32_t>();
  auto* const end = value + picture.samples.numel();
  const std::int64_t channels = picture.samples.size(2);
  const std::int64_t colours = channels - (picture.alpha ? 1 : 0);
  std::int32_t all = 0;
  for (const auto* pixel = value; pixel != end; pixel += channels) {
    std::for_each(pixel, pixel + colours, [&](std::int32_t v) { all |= v; });
  }
  const bool scaled = all >> bits != 0 || (all & ((1 << shift) - 1)) == 0;
  if (scaled) {
    std::for_each(value, end, [&](std::int32_t& v) { v >>= shift; });
  }
}

std::vector<std::array<std::uint8_t, 3>> palette_of(const PngFile& file) {
  png_colorp colours = nullptr;
  int count = 0;
  png_get_PLTE(file.png(), file.info(), &colours, &count);
  std::vector<std::array<std::uint8_t, 3>> palette;
  for (int i = 0; i < count; ++i) {
    palette.push_back({colours[i].red, colours[i].green, colours[i].blue});
  }
  return palette;
}

/// Call when the whole file has been read: eXIf may stand at its end.
PictureGeometry geometry_of(const PngFile& file) {
  PictureGeometry geometry;
  png_bytep exif = nullptr;
  png_uint_32 bytes = 0;
  if (png_get_eXIf_1(file.png(), file.info(), &bytes, &exif) != 0) {
    geometry.orientation = exif_orientation({reinterpret_cast<const char*>(exif), bytes});
  }
  png_uint_32 columns = 0;
  png_uint_32 rows = 0;
  int unit = PNG_RESOLUTION_UNKNOWN;
  if (png_get_pHYs(file.png(), file.info(), &columns, &rows, &unit) != 0 &&
      unit == PNG_RESOLUTION_METER) {
    constexpr double kMetre = 1000;
    geometry.row_spacing = spacing_of(rows, kMetre);
    geometry.column_spacing = spacing_of(columns, kMetre);
  }
  return geometry;
}

void set_transforms(png_structp png, png_infop info) {
  const int colour = png_get_color_type(png, info);
  const int depth = png_get_bit_depth(png, info);
  if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) {
    png_set_expand_gray_1_2_4_to_8(png);
  }
  png_set_packing(png);
  if (depth == 16 && std::endian::native == std::endian::little) {
    png_set_swap(png);
  }
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
}

/// Where libpng writes each row: 16-bit samples into the second half of their row.
std::vector<png_bytep> row_targets(const at::Tensor& samples, bool wide) {
  const auto bytes = static_cast<std::size_t>(samples.nbytes() / samples.size(0));
  auto* row = static_cast<png_bytep>(samples.mutable_data_ptr()) + (wide ? bytes / 2 : 0);
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < samples.size(0); ++y, row += bytes) {
    rows.push_back(row);
  }
  return rows;
}

Picture decode_png(std::string_view bytes, const PictureLimits& limits) {
  PngFile file(bytes);
  file.attempt([](png_structp png, png_infop info) { png_read_info(png, info); });
  const std::int64_t width = png_get_image_width(file.png(), file.info());
  const std::int64_t height = png_get_image_height(file.png(), file.info());
  check_size(width, height, limits);
  Picture picture;
  picture.format = PictureFormat::kPng;
  picture.bits = png_get_bit_depth(file.png(), file.info());
  const int colour = png_get_color_type(file.png(), file.info());
  picture.alpha = (colour & PNG_COLOR_MASK_ALPHA) != 0;
  const bool wide = picture.bits == 16;
  picture.samples = new_samples(height, width, png_get_channels(file.png(), file.info()),
                                wide ? at::kInt : at::kByte);
  std::vector<png_bytep> rows = row_targets(picture.samples, wide);
  file.attempt([&rows](png_structp png, png_infop info) {
    set_transforms(png, info);
    png_read_image(png, rows.data());
    png_read_end(png, info);
  });
  if (wide) {
    widen_rows(picture.samples);
    picture.bits = significant_bits(file);
    keep_significant_bits(picture);
  }
  if (colour == PNG_COLOR_TYPE_PALETTE) {
    picture.palette = palette_of(file);
  }
  picture.geometry = geometry_of(file);
  return picture;
}

}  // namespace

Reader png_reader() {
  return {{".png"},
          [](std::string_view bytes) { return bytes.starts_with("\x89PNG\r\n\x1a\n"); },
          &decode_png};
}

}  // namespace leaf::data
