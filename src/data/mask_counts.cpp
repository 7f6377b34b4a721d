#include "mask_counts.h"

#include <ATen/ATen.h>

#include <array>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "leaf/core/strings.h"
#include "mask_samples.h"

namespace leaf::data {
namespace {

ValueCounts count_bytes(const std::uint8_t* value, const std::uint8_t* ignored,
                        std::int64_t count) {
  std::array<std::int64_t, 256> counts{};
  for (std::int64_t i = 0; i < count; ++i) {
    counts[value[i]] += ignored == nullptr || ignored[i] == 0 ? 1 : 0;
  }
  ValueCounts result;
  for (std::size_t v = 0; v < counts.size(); ++v) {
    if (counts[v] > 0) {
      result.of[static_cast<double>(v)] = counts[v];
    }
    result.total += counts[v];
  }
  return result;
}

/// Masks are made of runs: one look-up a run.
template <typename Value>
ValueCounts count_runs(const Value* value, const std::uint8_t* ignored, std::int64_t count) {
  std::unordered_map<Value, std::int64_t> counts;
  ValueCounts result;
  for (std::int64_t begin = 0, end = 0; begin < count; begin = end) {
    std::int64_t counted = 0;
    for (end = begin; end < count && value[end] == value[begin]; ++end) {
      counted += ignored == nullptr || ignored[end] == 0 ? 1 : 0;
    }
    result.total += counted;
    if (counts.size() < ValueCounts::kMostValues || counts.contains(value[begin])) {
      counts[value[begin]] += counted;
    } else {
      result.rest += counted;
    }
  }
  for (const auto& [v, n] : counts) {
    if (n > 0) {
      result.of[static_cast<double>(v)] = n;
    }
  }
  return result;
}

}  // namespace

double ValueCounts::share_between(double low, double high) const {
  std::int64_t inside = 0;
  for (auto item = of.upper_bound(low); item != of.end() && item->first < high; ++item) {
    inside += item->second;
  }
  return total == 0 ? 0 : static_cast<double>(inside) / static_cast<double>(total);
}

std::string ValueCounts::text() const {
  constexpr std::size_t kShown = 5;
  std::vector<std::string> values;
  for (const auto& [value, count] : of) {
    if (values.size() == kShown) {
      values.emplace_back("...");
      break;
    }
    values.push_back(str(value));
  }
  return join(values, ", ");
}

ValueCounts count_values(const Mask& mask) {
  const auto* ignored =
      mask.ignored.defined() ? mask.ignored.const_data_ptr<std::uint8_t>() : nullptr;
  const std::int64_t count = mask.values.values.numel();
  ValueCounts result;
  with_samples(mask.values.values, [&](const auto* value) {
    if constexpr (std::is_same_v<decltype(value), const std::uint8_t*>) {
      result = count_bytes(value, ignored, count);
    } else {
      result = count_runs(value, ignored, count);
    }
  });
  return result;
}

}  // namespace leaf::data
