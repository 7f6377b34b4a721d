#include "leaf/train/tensorboard.h"

#include <array>
#include <cstring>

namespace leaf::tensorboard {
namespace {

// Protocol-buffer wire format, as far as an Event with a number or a picture needs it.
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
  constexpr std::uint32_t kStep = 2;
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

}  // namespace

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
