#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "leaf/metrics/summary.h"

namespace leaf::metrics {

using Json = nlohmann::ordered_json;

/// null for an undefined number, which JSON has no word for.
inline Json number_json(double value) { return is_defined(value) ? Json(value) : Json(); }

/// [low, high] or null.
inline Json interval_json(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json();
}

}  // namespace leaf::metrics
