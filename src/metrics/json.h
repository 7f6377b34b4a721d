#pragma once

#include <optional>

#include "core/json.h"
#include "leaf/metrics/summary.h"

namespace leaf::metrics {

/// null for an undefined number, which JSON has no word for.
inline Json number_json(double value) { return is_defined(value) ? Json(value) : Json(); }

/// [low, high] or null.
inline Json interval_json(const std::optional<Interval>& interval) {
  return interval ? Json{interval->low, interval->high} : Json();
}

}  // namespace leaf::metrics
