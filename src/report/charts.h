#pragma once

#include <string>
#include <utility>
#include <vector>

#include "page.h"

namespace leaf::report {

/// Views of inline SVG pictures, which templates draw: coordinates in a 320 x 180 plane with axes.

/// Bars of how often values fall into equal parts between low and high.
Json histogram(const std::string& title, const std::vector<double>& values, double low,
               double high);

/// A range for a histogram that fits the values: 0 to their largest, or around zero.
std::pair<double, double> range_of(const std::vector<double>& values);

/// A line through points.
Json curve(const std::string& title, const std::vector<std::pair<double, double>>& points);

/// Dots in [low, high] x [low, high], with the diagonal.
Json scatter(const std::string& title, const std::vector<std::pair<double, double>>& points,
             double low, double high);

}  // namespace leaf::report
