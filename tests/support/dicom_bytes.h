#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leaf::test {

/// A whole number, the lowest byte first.
inline std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) {
    text += static_cast<char>(value >> (8 * i) & 0xFFU);
  }
  return text;
}

/// A data set to be written: explicit value representations, little endian.
class DicomItem {
 public:
  /// `tag`: group << 16 | number.
  DicomItem& raw(std::uint32_t tag, std::string_view kind, std::string value) {
    if (value.size() % 2 != 0) {
      value += kind == "UI" || kind == "OB" ? '\0' : ' ';
    }
    elements_[tag] = {std::string(kind), std::move(value)};
    return *this;
  }
  DicomItem& text(std::uint32_t tag, std::string_view kind, const std::string& value) {
    return raw(tag, kind, value);
  }
  DicomItem& number(std::uint32_t tag, std::uint64_t value) {
    return raw(tag, "US", little(value, 2));
  }
  DicomItem& sequence(std::uint32_t tag, const std::vector<DicomItem>& items) {
    std::string value;
    for (const DicomItem& item : items) {
      const std::string bytes = item.bytes();
      value += little(0xE000FFFE, 4) + little(bytes.size(), 4) + bytes;
    }
    return raw(tag, "SQ", value);
  }
  DicomItem& remove(std::uint32_t tag) {
    elements_.erase(tag);
    return *this;
  }

  std::string bytes() const {
    std::string all;
    for (const auto& [tag, element] : elements_) {
      const auto& [kind, value] = element;
      const bool is_long =
          kind == "OB" || kind == "OF" || kind == "OW" || kind == "SQ" || kind == "UN";
      all += little(tag >> 16U, 2) + little(tag & 0xFFFFU, 2) + kind;
      all += is_long ? std::string(2, '\0') + little(value.size(), 4) : little(value.size(), 2);
      all += value;
    }
    return all;
  }

 private:
  std::map<std::uint32_t, std::pair<std::string, std::string>> elements_;
};

inline constexpr const char* kExplicitLittle = "1.2.840.10008.1.2.1";

/// Preamble and file meta information, what a data set of that transfer syntax follows.
inline std::string dicom_start(const std::string& transfer_syntax = kExplicitLittle) {
  std::string start(128, '\0');
  start.append("DICM").append(DicomItem().text(0x00020010, "UI", transfer_syntax).bytes());
  return start;
}

inline std::string dicom_file(const DicomItem& data_set,
                              const std::string& transfer_syntax = kExplicitLittle) {
  return dicom_start(transfer_syntax) + data_set.bytes();
}

/// Grey pixels of `bits` (8 or 16), all of them stored.
inline DicomItem grey_dicom(std::uint64_t height, std::uint64_t width,
                            const std::vector<std::int64_t>& values, int bits = 16) {
  DicomItem item;
  std::string pixels;
  for (const std::int64_t value : values) {
    pixels += little(static_cast<std::uint64_t>(value), bits / 8);
  }
  item.text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.7")
      .text(0x00080018, "UI", "1.2.3.4")
      .text(0x00100010, "PN", "Secret^Patient")
      .text(0x00100020, "LO", "SECRETID")
      .text(0x0020000D, "UI", "1.2.3")
      .text(0x0020000E, "UI", "1.2.3.1")
      .number(0x00280002, 1)
      .text(0x00280004, "CS", "MONOCHROME2")
      .number(0x00280010, height)
      .number(0x00280011, width)
      .number(0x00280100, static_cast<std::uint64_t>(bits))
      .number(0x00280101, static_cast<std::uint64_t>(bits))
      .number(0x00280102, static_cast<std::uint64_t>(bits) - 1)
      .number(0x00280103, 0)
      .raw(0x7FE00010, bits == 8 ? "OB" : "OW", pixels);
  return item;
}

}  // namespace leaf::test
