#include "charts.h"

#include <algorithm>
#include <cmath>

#include "leaf/core/strings.h"
#include "leaf/metrics/scores.h"

namespace leaf::report {
namespace {

// The plane of the axes inside the picture.
constexpr double kLeft = 36;
constexpr double kRight = 312;
constexpr double kTop = 12;
constexpr double kBottom = 156;

/// A number as short as it can be said.
std::string short_text(double value) {
  std::string text = fixed(value, std::abs(value) >= 100 ? 0 : 2);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') {
      text.pop_back();
    }
  }
  return text;
}

struct Axis {
  double low = 0;
  double high = 1;

  double share(double value) const { return high > low ? (value - low) / (high - low) : 0; }
  double x(double value) const { return kLeft + share(value) * (kRight - kLeft); }
  double y(double value) const { return kBottom - share(value) * (kBottom - kTop); }
};

std::string at(double coordinate) { return fixed(coordinate, 1); }

Json ticks(const Axis& x, const Axis& y) {
  Json json{{"x", Json::array()}, {"y", Json::array()}};
  for (int i = 0; i <= 4; ++i) {
    const auto value = [&](const Axis& axis) { return axis.low + i * (axis.high - axis.low) / 4; };
    json["x"].push_back({{"at", at(x.x(value(x)))}, {"text", short_text(value(x))}});
    json["y"].push_back({{"at", at(y.y(value(y)))}, {"text", short_text(value(y))}});
  }
  return json;
}

Json chart(const std::string& title, const Axis& x, const Axis& y) {
  return {{"title", title},        {"ticks", ticks(x, y)}, {"bars", Json::array()},
          {"dots", Json::array()}, {"line", ""},           {"diagonal", ""}};
}

std::string line_text(const std::vector<std::pair<double, double>>& points, const Axis& x,
                      const Axis& y) {
  std::string text;
  for (const auto& [a, b] : points) {
    text += str(at(x.x(a)), ",", at(y.y(b)), " ");
  }
  return text;
}

}  // namespace

Json histogram(const std::string& title, const std::vector<double>& values, double low,
               double high) {
  constexpr std::size_t kBars = 20;
  std::vector<std::size_t> counts(kBars);
  for (const double value : values) {
    const double place = std::floor((value - low) / (high - low) * kBars);
    ++counts[static_cast<std::size_t>(std::clamp(place, 0.0, kBars - 1.0))];
  }
  const auto most = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  const Axis x{low, high};
  const Axis y{0, std::max(4.0, std::ceil(most / 4) * 4)};  // whole numbers at its four ticks
  Json json = chart(title, x, y);
  const double step = (high - low) / kBars;
  for (std::size_t i = 0; i < kBars; ++i) {
    const double from = low + static_cast<double>(i) * step;
    const double top = y.y(static_cast<double>(counts[i]));
    json["bars"].push_back(
        {{"x", at(x.x(from) + 0.5)},
         {"y", at(top)},
         {"width", at((kRight - kLeft) / kBars - 1)},
         {"height", at(kBottom - top)},
         {"text", str(short_text(from), " to ", short_text(from + step), ": ", counts[i])}});
  }
  return json;
}

std::pair<double, double> range_of(const std::vector<double>& values) {
  double low = 0;
  double high = 0;
  for (const double value : values) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const double widest = std::max({-low, high, 1e-6});
  return low < 0 ? std::pair(-widest, widest) : std::pair(0.0, widest);
}

Json curve(const std::string& title, const std::vector<std::pair<double, double>>& points) {
  const Axis unit;
  Json json = chart(title, unit, unit);
  json["line"] = line_text(points, unit, unit);
  return json;
}

Json scatter(const std::string& title, const std::vector<std::pair<double, double>>& points,
             double low, double high) {
  const Axis axis{low, high};
  Json json = chart(title, axis, axis);
  json["diagonal"] = line_text({{low, low}, {high, high}}, axis, axis);
  for (const auto& [a, b] : points) {
    json["dots"].push_back({{"x", at(axis.x(a))}, {"y", at(axis.y(b))}});
  }
  return json;
}

}  // namespace leaf::report
