#include "uid.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>

namespace leaf::data::dicom {
namespace {

/// 128 bits, the upper ones first.
using Words = std::array<std::uint32_t, 4>;

Words random_uuid() {
  std::random_device device;
  Words words;
  std::generate(words.begin(), words.end(), [&] { return static_cast<std::uint32_t>(device()); });
  words[1] = (words[1] & 0xFFFF0FFFU) | 0x4000U;      // version 4
  words[2] = (words[2] & 0x3FFFFFFFU) | 0x80000000U;  // its variant
  return words;
}

/// Divides by ten; -> the remainder.
char take_digit(Words& words) {
  std::uint64_t rest = 0;
  for (std::uint32_t& word : words) {
    const std::uint64_t value = rest << 32U | word;
    word = static_cast<std::uint32_t>(value / 10);
    rest = value % 10;
  }
  return static_cast<char>('0' + rest);
}

}  // namespace

std::string new_uid() {
  Words words = random_uuid();
  std::string digits;
  while (words != Words{}) {
    digits += take_digit(words);
  }
  std::reverse(digits.begin(), digits.end());
  return "2.25." + digits;
}

}  // namespace leaf::data::dicom
