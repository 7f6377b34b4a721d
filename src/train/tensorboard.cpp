#include "train/tensorboard.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace leaf::tensorboard {
namespace {

// Protocol-buffer wire format, as far as an Event with a number or a picture needs it.
constexpr std::uint32_t kStep = 2;  ///< field of an Event
enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <typename T>
void append_raw(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof(T));
  out.append(bytes.data(), bytes.size());
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    out.push_back(static_cast<char>((value & 0x7F) | 0x80));
  }
  out.push_back(static_cast<char>(value));
}

void append_key(std::string& out, std::uint32_t field, WireType type) {
  append_varint(out, field << 3 | type);
}

void append_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out.append(bytes);
}

std::string event(double wall_time) {
  constexpr std::uint32_t kWallTime = 1;
  std::string out;
  append_key(out, kWallTime, kFixed64);
  append_raw(out, wall_time);
  return out;
}

std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

void append_number(std::string& out, std::uint32_t field, std::uint64_t value) {
  append_key(out, field, kVarint);
  append_varint(out, value);
}

/// A TFRecord: length, its checksum, the bytes, their checksum.
std::string record(std::string_view bytes) {
  std::string length;
  append_raw(length, static_cast<std::uint64_t>(bytes.size()));
  std::string out = length;
  append_raw(out, masked_crc(length));
  out.append(bytes);
  append_raw(out, masked_crc(bytes));
  return out;
}

/// An Event with a Summary of one Value, whose content follows its tag.
std::string summary_record(double wall_time, std::int64_t step, std::string_view tag,
                           std::string_view content) {
  constexpr std::uint32_t kSummary = 5;
  constexpr std::uint32_t kSummaryValue = 1;
  constexpr std::uint32_t kTag = 1;
  std::string value;
  append_bytes(value, kTag, tag);
  value.append(content);
  std::string summary;
  append_bytes(summary, kSummaryValue, value);
  std::string out = event(wall_time);
  append_number(out, kStep, static_cast<std::uint64_t>(step));
  append_bytes(out, kSummary, summary);
  return record(out);
}

/// Reads a message's fields one after the other; done() after the last, or where it is damaged.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : bytes_(bytes) {}

  bool done() const { return bytes_.empty(); }

  std::uint64_t varint() {
    constexpr int kLongest = 10;
    std::uint64_t value = 0;
    for (int i = 0; i < kLongest && !done(); ++i) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7FU} << (7 * i);
      if (byte < 0x80) {
        return value;
      }
    }
    bytes_ = {};
    return 0;
  }

  void skip(std::uint64_t type) {
    switch (type) {
      case kVarint:
        varint();
        return;
      case kFixed64:
        return drop(sizeof(std::uint64_t));
      case kFixed32:
        return drop(sizeof(std::uint32_t));
      case kBytes:
        return drop(varint());
      default:
        bytes_ = {};
    }
  }

 private:
  void drop(std::uint64_t count) {
    bytes_.remove_prefix(static_cast<std::size_t>(std::min<std::uint64_t>(count, bytes_.size())));
  }

  std::string_view bytes_;
};

/// The step of an Event message; 0 where it states none.
std::int64_t event_step(std::string_view message) {
  for (FieldReader reader(message); !reader.done();) {
    const std::uint64_t key = reader.varint();
    if (key == (kStep << 3 | kVarint)) {
      return static_cast<std::int64_t>(reader.varint());
    }
    reader.skip(key & 7);
  }
  return 0;
}

}  // namespace

std::string records_up_to(std::string_view bytes, std::int64_t last_step) {
  constexpr std::size_t kHeader = sizeof(std::uint64_t) + sizeof(std::uint32_t);
  constexpr std::size_t kFooter = sizeof(std::uint32_t);
  std::string kept;
  while (bytes.size() >= kHeader + kFooter) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof(length));
    if (length > bytes.size() - kHeader - kFooter) {
      break;
    }
    const std::string_view whole = bytes.substr(0, kHeader + length + kFooter);
    if (event_step(whole.substr(kHeader, length)) <= last_step) {
      kept += whole;
    }
    bytes.remove_prefix(whole.size());
  }
  return kept;
}

std::uint32_t crc32c(std::string_view bytes) {
  constexpr std::uint32_t kReversedPolynomial = 0x82F63B78U;
  std::uint32_t crc = ~0U;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1U) != 0U ? kReversedPolynomial : 0U);
    }
  }
  return ~crc;
}

std::string file_version_record(double wall_time) {
  constexpr std::uint32_t kFileVersion = 3;
  std::string out = event(wall_time);
  append_bytes(out, kFileVersion, "brain.Event:2");
  return record(out);
}

std::string scalar_record(double wall_time, std::int64_t step, std::string_view tag, float value) {
  constexpr std::uint32_t kSimpleValue = 2;
  std::string content;
  append_key(content, kSimpleValue, kFixed32);
  append_raw(content, value);
  return summary_record(wall_time, step, tag, content);
}

std::string image_record(double wall_time, std::int64_t step, std::string_view tag,
                         const Picture& picture) {
  constexpr std::uint32_t kImage = 4;
  constexpr std::uint32_t kHeight = 1;
  constexpr std::uint32_t kWidth = 2;
  constexpr std::uint32_t kColorspace = 3;
  constexpr std::uint32_t kEncoded = 4;
  constexpr std::uint64_t kRgb = 3;
  std::string image;
  append_number(image, kHeight, static_cast<std::uint64_t>(picture.height));
  append_number(image, kWidth, static_cast<std::uint64_t>(picture.width));
  append_number(image, kColorspace, kRgb);
  append_bytes(image, kEncoded, picture.encoded);
  std::string content;
  append_bytes(content, kImage, image);
  return summary_record(wall_time, step, tag, content);
}

}  // namespace leaf::tensorboard
