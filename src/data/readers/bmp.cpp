#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bmp_runs.h"
#include "leaf/core/strings.h"
#include "reader.h"

// Code of our own: OpenCV hands out colours in place of a palette's indices, and prints what it
// finds wrong with a file instead of returning it; no packaged library reads BMP alone.

namespace leaf::data {
namespace {

/// An unsigned little-endian number of `width` bytes.
std::uint32_t number(std::string_view bytes, std::size_t offset, std::size_t width) {
  if (offset > bytes.size() || bytes.size() - offset < width) {
    refuse_damaged("its header ends early");
  }
  std::uint32_t value = 0;
  for (std::size_t i = width; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  }
  return value;
}

enum Compression : std::uint32_t {
  kNone,
  kRuns8,
  kRuns4,
  kBitFields,
  kJpegInside,
  kPngInside,
  kAlphaBitFields
};

struct Header {
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool top_down = false;
  std::int64_t bits = 0;  ///< of a pixel
  std::uint32_t compression = kNone;
  std::size_t pixels = 0;        ///< where they begin
  std::size_t after_fields = 0;  ///< where bit masks or the palette begin
  std::size_t palette_entries = 0;
  std::array<std::uint32_t, 4> masks{};  ///< of red, green, blue and alpha in a pixel
  PictureGeometry geometry;
};

constexpr std::size_t kFields = 14;  // where the second header begins
constexpr std::uint32_t kOldHeader = 12;
constexpr std::uint32_t kHeader = 40;
constexpr std::uint32_t kHeaderWithAlpha = 56;

void read_old_fields(std::string_view bytes, Header& header) {
  header.width = number(bytes, kFields + 4, 2);
  header.height = number(bytes, kFields + 6, 2);
  header.bits = number(bytes, kFields + 10, 2);
}

void read_fields(std::string_view bytes, Header& header) {
  header.width = std::bit_cast<std::int32_t>(number(bytes, kFields + 4, 4));
  const auto height = std::bit_cast<std::int32_t>(number(bytes, kFields + 8, 4));
  header.top_down = height < 0;
  header.height = header.top_down ? -std::int64_t{height} : height;
  header.bits = number(bytes, kFields + 14, 2);
  header.compression = number(bytes, kFields + 16, 4);
  header.palette_entries = number(bytes, kFields + 32, 4);
  constexpr double kMetre = 1000;
  header.geometry.column_spacing = spacing_of(number(bytes, kFields + 24, 4), kMetre);
  header.geometry.row_spacing = spacing_of(number(bytes, kFields + 28, 4), kMetre);
}

/// Which bits of a pixel of 16 bits and more are red, green, blue and alpha.
void read_masks(std::string_view bytes, std::uint32_t header_bytes, Header& header) {
  if (header.compression == kNone) {
    header.masks = header.bits == 16 ? std::array<std::uint32_t, 4>{0x7C00, 0x3E0, 0x1F, 0}
                                     : std::array<std::uint32_t, 4>{0xFF0000, 0xFF00, 0xFF, 0};
    return;
  }
  const bool has_alpha = header_bytes >= kHeaderWithAlpha || header.compression == kAlphaBitFields;
  for (std::size_t i = 0; i < (has_alpha ? 4U : 3U); ++i) {
    header.masks[i] = number(bytes, kFields + kHeader + 4 * i, 4);
  }
  if (header_bytes == kHeader) {
    header.after_fields += has_alpha ? 16 : 12;
  }
}

bool is_runs(const Header& header) {
  return header.compression == kRuns8 || header.compression == kRuns4;
}

bool is_read(const Header& header) {
  switch (header.compression) {
    case kNone:
      return header.bits == 1 || header.bits == 4 || header.bits == 8 || header.bits == 16 ||
             header.bits == 24 || header.bits == 32;
    case kRuns8:
      return header.bits == 8;
    case kRuns4:
      return header.bits == 4;
    case kBitFields:
    case kAlphaBitFields:
      return header.bits == 16 || header.bits == 32;
    default:
      return false;
  }
}

Header read_header(std::string_view bytes) {
  Header header;
  header.pixels = number(bytes, 10, 4);
  const std::uint32_t header_bytes = number(bytes, kFields, 4);
  header.after_fields = kFields + header_bytes;
  if (header_bytes == kOldHeader) {
    read_old_fields(bytes, header);
  } else if (header_bytes >= kHeader) {
    read_fields(bytes, header);
  } else {
    refuse_damaged(str("its header states its own size as ", header_bytes));
  }
  if (!is_read(header)) {
    refuse_unread(str("BMP pictures of ", header.bits, " bits a pixel with compression ",
                      header.compression));
  }
  if (header.top_down && is_runs(header)) {
    refuse_unread("BMP pictures of runs from top to bottom");
  }
  if (header.bits >= 16) {
    read_masks(bytes, header_bytes, header);
  } else {
    const std::size_t most = std::size_t{1} << header.bits;
    header.palette_entries =
        header.palette_entries == 0 ? most : std::min(header.palette_entries, most);
  }
  return header;
}

std::vector<std::array<std::uint8_t, 3>> palette_of(std::string_view bytes, const Header& header) {
  const std::size_t entry = header.after_fields == kFields + kOldHeader ? 3 : 4;
  std::vector<std::array<std::uint8_t, 3>> palette;
  for (std::size_t i = 0; i < header.palette_entries; ++i) {
    const std::uint32_t bgr = number(bytes, header.after_fields + i * entry, 3);
    palette.push_back({static_cast<std::uint8_t>(bgr >> 16), static_cast<std::uint8_t>(bgr >> 8),
                       static_cast<std::uint8_t>(bgr)});
  }
  return palette;
}

/// The bytes of every row, in the order of the file; the last may lack its padding.
std::vector<std::string_view> rows_of(std::string_view bytes, const Header& header) {
  const auto padded = static_cast<std::size_t>((header.width * header.bits + 31) / 32 * 4);
  const auto used = static_cast<std::size_t>((header.width * header.bits + 7) / 8);
  const auto count = static_cast<std::size_t>(header.height);
  if (header.pixels > bytes.size() || bytes.size() - header.pixels < padded * (count - 1) + used) {
    refuse_damaged("it is shorter than its size in pixels asks for");
  }
  std::vector<std::string_view> rows;
  for (std::size_t y = 0; y < count; ++y) {
    rows.push_back(bytes.substr(header.pixels + y * padded, used));
  }
  return rows;
}

void unpack_indices(std::string_view row, std::int64_t bits, std::int64_t width,
                    std::uint8_t* target) {
  const auto per_byte = static_cast<std::size_t>(8 / bits);
  const unsigned largest = (1U << bits) - 1;
  for (std::size_t x = 0; x < static_cast<std::size_t>(width); ++x) {
    const auto shift = (per_byte - 1 - x % per_byte) * static_cast<std::size_t>(bits);
    target[x] =
        static_cast<std::uint8_t>(static_cast<unsigned char>(row[x / per_byte]) >> shift & largest);
  }
}

/// One channel of a pixel, spread over 0..255.
class Field {
 public:
  explicit Field(std::uint32_t mask)
      : mask_(mask),
        shift_(mask == 0 ? 0 : std::countr_zero(mask)),
        largest_(mask == 0 ? 1 : mask >> shift_) {}

  std::uint8_t of(std::uint32_t pixel) const {
    const std::uint64_t value = (pixel & mask_) >> shift_;
    return static_cast<std::uint8_t>((value * 255 + largest_ / 2) / largest_);
  }

 private:
  std::uint32_t mask_;
  int shift_;
  std::uint64_t largest_;
};

void unpack_colours(std::string_view row, const Header& header, const std::vector<Field>& fields,
                    std::uint8_t* target) {
  const auto pixel_bytes = static_cast<std::size_t>(header.bits / 8);
  for (std::size_t x = 0; x < static_cast<std::size_t>(header.width); ++x) {
    std::uint32_t pixel = 0;
    for (std::size_t i = pixel_bytes; i-- > 0;) {
      pixel = pixel << 8 | static_cast<unsigned char>(row[x * pixel_bytes + i]);
    }
    for (const Field& field : fields) {
      *target++ = field.of(pixel);
    }
  }
}

void unpack_bgr(std::string_view row, std::int64_t width, std::uint8_t* target) {
  const auto* from = reinterpret_cast<const std::uint8_t*>(row.data());
  for (std::int64_t x = 0; x < width; ++x, from += 3, target += 3) {
    target[0] = from[2];
    target[1] = from[1];
    target[2] = from[0];
  }
}

void unpack_rows(std::string_view bytes, const Header& header, Picture& picture) {
  const std::vector<std::string_view> rows = rows_of(bytes, header);
  std::vector<Field> fields;
  for (std::int64_t c = 0; c < picture.samples.size(2); ++c) {
    fields.emplace_back(header.masks[static_cast<std::size_t>(c)]);
  }
  auto* target = picture.samples.mutable_data_ptr<std::uint8_t>();
  for (std::size_t y = 0; y < rows.size(); ++y, target += picture.samples.stride(0)) {
    const std::string_view row = rows[header.top_down ? y : rows.size() - 1 - y];
    if (header.bits < 16) {
      unpack_indices(row, header.bits, header.width, target);
    } else if (header.bits == 24) {
      unpack_bgr(row, header.width, target);
    } else {
      unpack_colours(row, header, fields, target);
    }
  }
}

Picture decode_bmp(std::string_view bytes, const PictureLimits& limits) {
  const Header header = read_header(bytes);
  check_size(header.width, header.height, limits);
  Picture picture;
  picture.format = PictureFormat::kBmp;
  picture.geometry = header.geometry;
  picture.alpha = header.masks[3] != 0;
  const bool indexed = header.bits < 16;
  picture.samples =
      new_samples(header.height, header.width, indexed ? 1 : (picture.alpha ? 4 : 3), at::kByte);
  if (indexed) {
    picture.bits = header.bits;
    picture.palette = palette_of(bytes, header);
  }
  if (is_runs(header)) {
    unpack_runs(bytes.substr(std::min(header.pixels, bytes.size())), header.bits, picture.samples);
  } else {
    unpack_rows(bytes, header, picture);
  }
  return picture;
}

}  // namespace

Reader bmp_reader() {
  return {{".bmp"}, [](std::string_view bytes) { return bytes.starts_with("BM"); }, &decode_bmp};
}

}  // namespace leaf::data
