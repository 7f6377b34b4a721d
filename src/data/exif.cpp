#include "data/exif.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "leaf/data/image_io.h"

namespace leaf::data {
namespace {

constexpr std::string_view kExif("Exif\0\0", 6);

/// An unsigned number of `width` bytes; 0 where it would reach beyond the end, which is a valid
/// value of none of the fields read here.
std::uint32_t number(std::string_view bytes, std::size_t offset, std::size_t width,
                     bool big_endian) {
  if (offset > bytes.size() || bytes.size() - offset < width) {
    return 0;
  }
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t at = big_endian ? i : width - 1 - i;
    value = value << 8 | static_cast<unsigned char>(bytes[offset + at]);
  }
  return value;
}

/// Looks the orientation up in the first directory of a TIFF structure.
int tiff_orientation(std::string_view tiff) {
  const bool big_endian = tiff.starts_with("MM");
  if (!big_endian && !tiff.starts_with("II")) {
    return 1;
  }
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::size_t kEntryBytes = 12;
  const std::size_t directory = number(tiff, 4, 4, big_endian);
  const std::size_t entries = number(tiff, directory, 2, big_endian);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntryBytes;
    if (number(tiff, entry, 2, big_endian) == kOrientationTag) {
      const std::uint32_t value = number(tiff, entry + 8, 2, big_endian);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  }
  return 1;
}

struct Turn {
  bool transpose;
  std::vector<std::int64_t> flips;  // dimensions of the displayed picture
};

Turn turn(int orientation) {
  Turn result{orientation >= 5, {}};
  if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8) {
    result.flips.push_back(0);
  }
  if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) {
    result.flips.push_back(1);
  }
  return result;
}

}  // namespace

bool is_exif_block(std::string_view bytes) { return bytes.starts_with(kExif); }

int exif_orientation(std::string_view exif) {
  return tiff_orientation(is_exif_block(exif) ? exif.substr(kExif.size()) : exif);
}

at::Tensor apply_orientation(const at::Tensor& stored, int orientation) {
  const Turn way = turn(orientation);
  const at::Tensor turned = way.transpose ? stored.transpose(0, 1) : stored;
  return (way.flips.empty() ? turned : turned.flip(way.flips)).contiguous();
}

at::Tensor undo_orientation(const at::Tensor& displayed, int orientation) {
  const Turn way = turn(orientation);
  const at::Tensor unflipped = way.flips.empty() ? displayed : displayed.flip(way.flips);
  return (way.transpose ? unflipped.transpose(0, 1) : unflipped).contiguous();
}

}  // namespace leaf::data
