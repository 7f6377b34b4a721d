#pragma once

#include <string>

#include "leaf/core/enum_names.h"
#include "leaf/core/strings.h"

namespace leaf::data {

/// Which of an image's values become black and white.
///   kFull    0 and the largest value that its bits can hold; of floating-point files 0 and 1; of
///            DICOM files those of their own window or lookup table, as viewers show them
///   kRange   the smallest and the largest value in the image itself
///   kWindow  the same two values in every image, as the files hold them
enum class IntensityRule { kFull, kRange, kWindow };
inline EnumNames<IntensityRule> enum_names(IntensityRule /*tag*/) {
  return {{IntensityRule::kFull, "full"},
          {IntensityRule::kRange, "range"},
          {IntensityRule::kWindow, "window"}};
}

/// How the values of an image file become grey levels. What lies beyond black and white is clamped.
struct Intensity {
  IntensityRule rule = IntensityRule::kFull;
  double low = 0;   ///< kWindow: what becomes black
  double high = 0;  ///< and white
  bool operator==(const Intensity&) const = default;
};

/// "range", or "window -1000 to 400".
inline std::string intensity_text(const Intensity& intensity) {
  const std::string rule = enum_text(intensity.rule);
  return intensity.rule == IntensityRule::kWindow
             ? str(rule, " ", intensity.low, " to ", intensity.high)
             : rule;
}

}  // namespace leaf::data
