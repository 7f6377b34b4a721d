#include "code_stream.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "data/readers/reader.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data::dicom {
namespace {

enum Marker : std::int64_t {
  kStart = 0xFF4F,
  kSize = 0xFF51,
  kCoding = 0xFF52,
  kComponentCoding = 0xFF53,
  kTilePart = 0xFF90,
  kCode = 0xFF93,
  kEnd = 0xFFD9
};

/// What a JPEG 2000 code stream states of its picture.
struct CodeStream {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t tile_width = 0;
  std::int64_t tile_height = 0;
  std::int64_t tiles = 1;
  std::int64_t components = 1;
  std::int64_t precision = 8;  ///< bits of a sample
  bool is_signed = false;
};

[[noreturn]] void refuse_early_end() { refuse_damaged("its JPEG 2000 code stream ends early"); }

/// A whole number of 1 to 4 bytes, the highest first.
std::int64_t number_at(std::string_view stream, std::size_t at, std::size_t bytes) {
  if (at > stream.size() || stream.size() - at < bytes) {
    refuse_early_end();
  }
  std::int64_t value = 0;
  for (const char byte : stream.substr(at, bytes)) {
    value = value << 8 | static_cast<std::uint8_t>(byte);
  }
  return value;
}

std::int64_t divide_up(std::int64_t value, std::int64_t by) { return (value + by - 1) / by; }

/// The tiles that lie between `begin` and `end`, the first of which begins at `first`; 0 where that
/// cannot be. Never more than a stream may have, plus one.
std::int64_t tiles_along(std::int64_t begin, std::int64_t end, std::int64_t first,
                         std::int64_t size) {
  const bool sound = size > 0 && first <= begin && first + size > begin && end > begin;
  constexpr std::int64_t kTooMany = 65536;
  return sound ? std::min(divide_up(end - first, size), kTooMany) : 0;
}

/// All components are alike, since samples of a DICOM picture are.
void read_component(std::string_view stream, std::int64_t component, CodeStream& head) {
  const std::size_t at = 42 + 3 * static_cast<std::size_t>(component);
  const std::int64_t depth = number_at(stream, at, 1);
  const std::int64_t precision = (depth & 0x7F) + 1;
  const bool is_signed = (depth & 0x80) != 0;
  if (number_at(stream, at + 1, 2) != 0x0101) {
    refuse_unread("JPEG 2000 code streams of components of several sizes");
  }
  if (component > 0 && (precision != head.precision || is_signed != head.is_signed)) {
    refuse_unread("JPEG 2000 code streams of components of several depths");
  }
  head.precision = precision;
  head.is_signed = is_signed;
}

CodeStream read_head(std::string_view stream) {
  if (number_at(stream, 0, 2) != kStart || number_at(stream, 2, 2) != kSize) {
    refuse_damaged("its pixels are no JPEG 2000 code stream");
  }
  const auto word = [&](std::size_t at) { return number_at(stream, at, 4); };
  CodeStream head;
  head.width = word(8) - word(16);
  head.height = word(12) - word(20);
  head.tile_width = std::min(word(24), head.width);
  head.tile_height = std::min(word(28), head.height);
  head.tiles = tiles_along(word(16), word(8), word(32), word(24)) *
               tiles_along(word(20), word(12), word(36), word(28));
  head.components = number_at(stream, 40, 2);
  return head;
}

void check_agreement(const CodeStream& head, const PixelLayout& layout) {
  if (head.width != layout.width || head.height != layout.height) {
    refuse_damaged(str("its header states ", layout.width, "x", layout.height,
                       " pixels, its frame ", head.width, "x", head.height));
  }
  if (head.components != layout.samples) {
    refuse_damaged(
        str("its header states ", layout.samples, " samples a pixel, its frame ", head.components));
  }
}

/// Some writers state more or fewer bits in the code stream than in the header, and some put words
/// with a sign into a code stream without one: the same bits, where there are as many.
void check_depth(const CodeStream& head, const PixelLayout& layout) {
  const bool same_sign = head.is_signed == layout.is_signed;
  if (head.precision > layout.allocated || (!same_sign && head.precision != layout.stored)) {
    refuse_damaged(str("its header states ", layout.stored, " of ", layout.allocated, " bits",
                       layout.is_signed ? " with a sign" : "", ", its frame ", head.precision,
                       head.is_signed ? " with a sign" : ""));
  }
}

/// Tables for each tile take kilobytes.
void check_tiles(const CodeStream& head) {
  constexpr std::int64_t kAlways = 64;
  constexpr std::int64_t kPixelsPerTile = 4096;
  if (head.tiles < 1 || head.tiles > kAlways + head.width * head.height / kPixelsPerTile) {
    refuse_damaged(str("its JPEG 2000 code stream states ", head.tiles, " tiles"));
  }
}

/// Follows the markers of headers and tile-parts; the code itself is OpenJPEG's.
class Walk {
 public:
  Walk(std::string_view stream, const CodeStream& head)
      : stream_(stream), head_(head), seen_(static_cast<std::size_t>(head.tiles)) {}

  void run() {
    // Some writers leave the last marker out, and a byte may fill the fragment up.
    while (at_ + 2 <= stream_.size() && number(0, 2) != kEnd) {
      step();
    }
    const auto missing = std::find(seen_.begin(), seen_.end(), false);
    if (missing != seen_.end()) {
      refuse_damaged(str("its JPEG 2000 code stream lacks tile ", missing - seen_.begin() + 1,
                         " of ", head_.tiles));
    }
  }

 private:
  /// A number behind the marker's place.
  std::int64_t number(std::size_t offset, std::size_t bytes) const {
    return number_at(stream_, at_ + offset, bytes);
  }

  void step() {
    const std::int64_t marker = number(0, 2);
    if (marker == kCode) {
      if (part_end_ <= at_) {
        refuse_damaged("its JPEG 2000 code stream has code outside of tiles");
      }
      at_ = part_end_;
      return;
    }
    if (marker == kTilePart) {
      begin_tile_part();
    } else if (marker == kCoding) {
      layers_ = std::max(layers_, number(6, 2));
      check_precincts(9, 14, (number(4, 1) & 1) != 0);
    } else if (marker == kComponentCoding) {
      check_precincts(6, 11, (number(5, 1) & 1) != 0);
    }
    const std::int64_t length = number(2, 2);
    if (marker < 0xFF00 || length < 2) {
      refuse_damaged("its JPEG 2000 code stream has no marker where one belongs");
    }
    at_ += 2 + static_cast<std::size_t>(length);
  }

  void begin_tile_part() {
    const std::int64_t tile = number(4, 2);
    const auto bytes = static_cast<std::size_t>(number(6, 4));
    if (tile >= head_.tiles) {
      refuse_damaged(str("its JPEG 2000 code stream has a tile ", tile + 1, " of ", head_.tiles));
    }
    seen_[static_cast<std::size_t>(tile)] = true;
    if (bytes > stream_.size() - at_) {
      refuse_early_end();
    }
    part_end_ = bytes == 0 ? stream_.size() : at_ + bytes;  // 0: the last one
  }

  /// `levels`, `sizes`: where the number of decompositions is, and a byte for each resolution.
  void check_precincts(std::size_t levels, std::size_t sizes, bool are_stated) {
    constexpr std::int64_t kDefault = 0xFF;  // of 2^15 x 2^15 samples
    constexpr std::int64_t kAlways = 100'000;
    constexpr std::int64_t kMostLevels = 32;
    const std::int64_t count = std::min(number(levels, 1), kMostLevels);
    std::int64_t precincts = 0;
    for (std::int64_t level = 0; level <= count; ++level) {
      const std::int64_t size =
          are_stated ? number(sizes + static_cast<std::size_t>(level), 1) : kDefault;
      const std::int64_t scale = std::int64_t{1} << (count - level);
      precincts += ((divide_up(head_.tile_width, scale) >> (size & 0xF)) + 2) *
                   ((divide_up(head_.tile_height, scale) >> (size >> 4)) + 2);
    }
    precincts *= head_.components;
    const std::int64_t pixels = head_.width * head_.height;
    if (precincts > kAlways + pixels / 64 || precincts * layers_ > 10 * kAlways + pixels) {
      refuse_damaged(str("its JPEG 2000 code stream states up to ", precincts, " precincts of ",
                         layers_, " layers"));
    }
  }

  std::string_view stream_;
  const CodeStream& head_;
  std::vector<bool> seen_;  ///< tiles
  std::size_t at_ = 2;
  std::size_t part_end_ = 0;
  std::int64_t layers_ = 1;
};

}  // namespace

std::string_view without_boxes(std::string_view bytes) {
  constexpr std::string_view kSignature("\0\0\0\x0CjP  ", 8);
  if (!bytes.starts_with(kSignature)) {
    return bytes;
  }
  while (bytes.size() >= 8) {
    const auto stated = static_cast<std::size_t>(number_at(bytes, 0, 4));
    const std::size_t length = stated == 0 ? bytes.size() : stated;  // 0: the last one
    if (length < 8 || length > bytes.size()) {
      break;
    }
    if (bytes.substr(4, 4) == "jp2c") {
      return bytes.substr(8, length - 8);
    }
    bytes.remove_prefix(length);
  }
  refuse_damaged("its JP2 file holds no whole code stream");
}

void check_code_stream(std::string_view stream, const PixelLayout& layout) {
  CodeStream head = read_head(stream);
  check_agreement(head, layout);
  for (std::int64_t c = 0; c < head.components; ++c) {
    read_component(stream, c, head);
  }
  check_depth(head, layout);
  check_tiles(head);
  Walk(stream, head).run();
}

}  // namespace leaf::data::dicom
