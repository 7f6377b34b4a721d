#pragma once

#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace leaf {

/// Concatenates anything that can be streamed. Where an argument is of LibTorch's types call it as
/// leaf::str: those bring c10::str along.
template <typename... Parts>
std::string str(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// A number with a fixed count of decimals: fixed(0.5, 3) == "0.500".
std::string fixed(double value, int decimals);

/// Every digit of a number, as short as it can be.
std::string exact(double value);

/// Elements joined by a separator: join({"a", "b"}, ", ") == "a, b".
std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// The text without control characters, which could end a line or command a terminal: written as in
/// C ("\\n", "\\x1b").
std::string escaped(std::string_view text);

/// Text from a file made fit for a message: escaped, and cut where it is long.
std::string printable(std::string_view text);

/// The candidate with the smallest edit distance to `word`, if it is close enough to be a
/// misspelling.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

/// " (did you mean 'x'?)" when `nearest` finds one, otherwise "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// 64-bit FNV-1a hash of the bytes of `text`.
std::uint64_t fnv1a64(std::string_view text);

/// ASCII lower case.
std::string to_lower(std::string_view text);

/// A duration for people: "45 s", "12 min 5 s", "3 h 20 min".
std::string duration_text(double seconds);

/// A byte count for people: "1.4 GB" (powers of 1000).
std::string bytes_text(double bytes);

}  // namespace leaf
