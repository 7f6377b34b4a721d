#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "dicom_file.h"
#include "leaf/data/picture.h"

namespace leaf::data::dicom {

/// How pixels are stored.
struct PixelLayout {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t frames = 1;
  std::int64_t samples = 1;    ///< of a pixel, 1 or 3
  std::int64_t allocated = 8;  ///< bits of a sample in the file: 1, 8, 16 or 32
  std::int64_t stored = 8;     ///< bits of it that count, up to the high bit
  std::int64_t high_bit = 7;
  bool is_signed = false;
  bool planar = false;      ///< all red first, then green and blue
  bool swapped = false;     ///< of 32 bits, the upper half first
  std::string photometric;  ///< "MONOCHROME2"

  bool is_grey() const { return photometric.starts_with("MONOCHROME"); }
  std::int64_t lowest() const { return is_signed ? -(std::int64_t{1} << (stored - 1)) : 0; }
  std::int64_t highest() const {
    return (std::int64_t{1} << (is_signed ? stored - 1 : stored)) - 1;
  }
};

/// Throws DataError for a size beyond the limits, and for pixels that are not read or cannot be.
PixelLayout describe_pixels(DcmDataset& data_set, const PictureLimits& limits);

/// One frame among the pixels of all.
class StoredFrame {
 public:
  /// Throws DataError where the bytes do not reach to the frame's end.
  StoredFrame(const PixelLayout& layout, std::string_view bytes, std::int64_t frame);

  const PixelLayout& layout() const { return layout_; }
  std::int64_t count() const { return count_; }

  /// Calls use(i, value) for every sample, in the file's order.
  template <typename Use>
  void each(const Use& use) const {
    switch (layout_.allocated) {
      case 1:
        for (std::int64_t i = 0; i < count_; ++i) {
          const auto bit = static_cast<std::size_t>(first_ + i);
          use(i, std::int64_t{(static_cast<std::uint8_t>(bytes_[bit / 8]) >> (bit % 8)) & 1});
        }
        break;
      case 8:
        each_of<std::uint8_t>(use);
        break;
      case 16:
        each_of<std::uint16_t>(use);
        break;
      default:
        each_of<std::uint32_t>(use);
    }
  }

 private:
  template <typename Word, typename Use>
  void each_of(const Use& use) const {
    const std::int64_t shift = layout_.high_bit + 1 - layout_.stored;
    const std::int64_t mask = (std::int64_t{1} << layout_.stored) - 1;
    const std::int64_t sign = layout_.is_signed ? std::int64_t{1} << (layout_.stored - 1) : 0;
    const char* from = bytes_.data() + first_ * static_cast<std::int64_t>(sizeof(Word));
    for (std::int64_t i = 0; i < count_; ++i, from += sizeof(Word)) {
      Word word = 0;
      std::memcpy(&word, from, sizeof(Word));
      if constexpr (sizeof(Word) == 4) {
        word = layout_.swapped ? word << 16U | word >> 16U : word;
      }
      const std::int64_t value = (std::int64_t{word} >> shift) & mask;
      use(i, (value ^ sign) - sign);
    }
  }

  const PixelLayout& layout_;
  std::string_view bytes_;
  std::int64_t count_ = 0;  ///< samples of the frame
  std::int64_t first_ = 0;  ///< its first among those of all frames
};

}  // namespace leaf::data::dicom
