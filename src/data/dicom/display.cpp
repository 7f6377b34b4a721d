#include "display.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "lookup_table.h"

namespace leaf::data::dicom {
namespace {

constexpr double kWhite = 255;

std::optional<DisplayCurve> curve_of(const LookupTable& table) {
  DisplayCurve curve;
  curve.low = static_cast<double>(table.first);
  curve.high = curve.low + static_cast<double>(table.entries.size()) - 1;
  curve.levels.clear();
  for (const std::uint16_t entry : table.entries) {
    curve.levels.push_back(entry * kWhite / table.white());
  }
  return curve;
}

/// The standard's function SIGMOID from the low to the high end of a curve.
std::vector<double> sigmoid(const DisplayCurve& ends, double centre, double width) {
  constexpr int kSteps = 1024;
  std::vector<double> levels;
  for (int i = 0; i <= kSteps; ++i) {
    const double value = ends.low + (ends.high - ends.low) * i / kSteps;
    levels.push_back(kWhite / (1 + std::exp(-4 * (value - centre) / width)));
  }
  return levels;
}

DisplayCurve ends_of(const std::string& function, double centre, double width) {
  if (function == "SIGMOID") {
    constexpr double kReach = 3;  // beyond which it is flat
    return {.low = centre - kReach * width, .high = centre + kReach * width};
  }
  if (function == "LINEAR_EXACT") {
    return {.low = centre - width / 2, .high = centre + width / 2};
  }
  // LINEAR: of whole numbers, `width` of them from black to white.
  const double low = centre - 0.5 - (width - 1) / 2;
  return {.low = low, .high = low + width - 1};
}

/// False where levels between the ends would be no numbers.
bool is_computable(const DisplayCurve& ends) {
  const double span = ends.high - ends.low;
  return std::isfinite(ends.low) && std::isfinite(ends.high) && (span == 0 || std::isnormal(span));
}

std::optional<DisplayCurve> window_of(DcmItem& item) {
  const std::optional<double> centre = number(item, DCM_WindowCenter);
  const std::optional<double> width = number(item, DCM_WindowWidth);
  const std::string function = text(item, DCM_VOILUTFunction);
  if (!centre || !width || *width <= 0 || (function != "LINEAR_EXACT" && *width < 1)) {
    return std::nullopt;
  }
  DisplayCurve curve = ends_of(function, *centre, *width);
  if (!is_computable(curve)) {
    return std::nullopt;
  }
  if (function == "SIGMOID") {
    curve.levels = sigmoid(curve, *centre, *width);
  }
  return curve;
}

}  // namespace

std::optional<DisplayCurve> find_display(DcmDataset& data_set, std::int64_t frame, bool is_signed) {
  DcmItem& item = group_of(data_set, DCM_FrameVOILUTSequence, frame);
  DcmItem* voi = nullptr;
  if (item.findAndGetSequenceItem(DCM_VOILUTSequence, voi).good()) {
    if (const auto table = find_table(*voi, DCM_LUTDescriptor, DCM_LUTData, is_signed)) {
      return curve_of(*table);
    }
  }
  return window_of(item);
}

DisplayCurve mirrored(const DisplayCurve& curve, double sum) {
  DisplayCurve turned{.low = sum - curve.high, .high = sum - curve.low, .levels = curve.levels};
  std::reverse(turned.levels.begin(), turned.levels.end());
  for (double& level : turned.levels) {
    level = kWhite - level;
  }
  return turned;
}

}  // namespace leaf::data::dicom
