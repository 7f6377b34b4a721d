#include "leaf/metrics/tables.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "leaf/core/strings.h"
#include "leaf/metrics/scores.h"

namespace leaf::metrics {
namespace {

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

bool is_missing(const std::string& text) {
  static constexpr std::array kWords{"", "nan", "na", "n/a", "null", "none", "-"};
  const std::string word = to_lower(trimmed(text));
  return std::any_of(kWords.begin(), kWords.end(), [&](const char* w) { return word == w; });
}

std::size_t column_of_names(const std::vector<std::string>& header) {
  for (const char* known : {"name", "image", "file"}) {
    const auto found = std::find(header.begin(), header.end(), known);
    if (found != header.end()) {
      return static_cast<std::size_t>(found - header.begin());
    }
  }
  return 0;
}

std::optional<double> cell_number(const std::string& text) {
  if (is_missing(text)) {
    return kUndefined;
  }
  const std::string word = to_lower(trimmed(text));
  if (word == "true" || word == "false") {
    return word == "true" ? 1.0 : 0.0;
  }
  double value = 0;
  const char* end = word.data() + word.size();
  const auto [rest, failure] = std::from_chars(word.data(), end, value);
  if (failure != std::errc() || rest != end) {
    return std::nullopt;
  }
  return std::isfinite(value) ? value : kUndefined;  // MONAI's distance to an empty mask is inf
}

}  // namespace leaf::metrics
