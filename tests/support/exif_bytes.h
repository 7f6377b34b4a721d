#pragma once

#include <string>

namespace leaf::test {

inline std::string little_endian(unsigned value, int width) {
  std::string bytes;
  for (int i = 0; i < width; ++i) {
    bytes += static_cast<char>(value >> (8 * i) & 0xFF);
  }
  return bytes;
}

inline std::string encode(unsigned value, int width, bool big) {
  std::string bytes = little_endian(value, width);
  return big ? std::string(bytes.rbegin(), bytes.rend()) : bytes;
}

/// EXIF data whose only entry, after another tag, is the orientation.
inline std::string exif_block(unsigned orientation, bool big) {
  const auto entry = [big](unsigned tag, unsigned value) {
    return encode(tag, 2, big) + encode(3, 2, big) + encode(1, 4, big) + encode(value, 2, big) +
           encode(0, 2, big);
  };
  const std::string tiff = std::string(big ? "MM" : "II") + encode(42, 2, big) + encode(8, 4, big) +
                           encode(2, 2, big) + entry(0x0100, 77) + entry(0x0112, orientation) +
                           encode(0, 4, big);
  return std::string("Exif\0\0", 6) + tiff;
}

/// The same as an APP1 segment of a JPEG file.
inline std::string exif_segment(unsigned orientation, bool big) {
  const std::string body = exif_block(orientation, big);
  return "\xFF\xE1" + encode(static_cast<unsigned>(body.size()) + 2, 2, true) + body;
}

/// A JPEG file that states an orientation.
inline std::string with_exif(const std::string& jpeg, unsigned orientation, bool big) {
  return jpeg.substr(0, 2) + exif_segment(orientation, big) + jpeg.substr(2);
}

}  // namespace leaf::test
