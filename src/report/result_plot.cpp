#include "result_plot.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "leaf/core/strings.h"
#include "leaf/metrics/summary.h"
#include "page.h"

namespace leaf::report {
namespace {

constexpr double kNames = 230;  // width of the rows' names
constexpr double kPanel = 150;
constexpr double kMargin = 16;  // inside a panel, on both sides
constexpr double kTop = 44;
constexpr double kLine = 24;

/// The number that a published text begins with.
std::optional<double> published_value(const Result& result) {
  double value = 0;
  const std::string& text = result.published;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

struct Range {
  double low = 0;
  double high = 0;
  bool empty = true;

  void add(double value) {
    low = empty ? value : std::min(low, value);
    high = empty ? value : std::max(high, value);
    empty = false;
  }
  /// 0 to 1 from left to right.
  double share(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

Range range_of_column(const ResultTable& table, std::size_t column) {
  Range range;
  for (const ResultRow& row : table.rows) {
    const Result& result = row.results[column];
    if (!result.values.empty()) {
      const metrics::Statistics all = metrics::statistics(result.values);
      range.add(all.mean - all.std);
      range.add(all.mean + all.std);
    }
    if (const auto value = published_value(result)) {
      range.add(*value);
    }
  }
  return range;
}

std::string at(double coordinate) { return fixed(coordinate, 1); }

Json panel(const ResultTable& table, std::size_t column) {
  const Range range = range_of_column(table, column);
  const double left = kNames + kPanel * static_cast<double>(column);
  const auto x = [&](double value) {
    return at(left + kMargin + range.share(value) * (kPanel - 2 * kMargin));
  };
  const double bottom = kTop + kLine * static_cast<double>(table.rows.size());
  Json json{{"title", table.columns[column]},
            {"left", at(left)},
            {"middle", at(left + kPanel / 2)},
            {"bottom", at(bottom)},
            {"low_x", x(range.low)},
            {"high_x", x(range.high)},
            {"low", range.empty ? "" : fixed(range.low, table.decimals)},
            {"high", range.high > range.low ? fixed(range.high, table.decimals) : ""},
            {"label_y", at(bottom + 14)},
            {"dots", Json::array()},
            {"rings", Json::array()}};
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const Result& result = table.rows[row].results[column];
    const std::string y = at(kTop + kLine * (static_cast<double>(row) + 0.5));
    if (!result.values.empty()) {
      const metrics::Statistics all = metrics::statistics(result.values);
      json["dots"].push_back({{"x", x(all.mean)},
                              {"y", y},
                              {"from", x(all.mean - all.std)},
                              {"to", x(all.mean + all.std)},
                              {"text", fixed(all.mean, table.decimals)}});
    }
    if (const auto value = published_value(result)) {
      json["rings"].push_back({{"x", x(*value)}, {"y", y}, {"text", result.published}});
    }
  }
  return json;
}

}  // namespace

std::string result_plot(const ResultTable& table) {
  const double height = kTop + kLine * static_cast<double>(table.rows.size()) + 24;
  Json view{{"title", table.title},
            {"width", at(kNames + kPanel * static_cast<double>(table.columns.size()))},
            {"height", at(height)},
            {"rows", Json::array()},
            {"panels", Json::array()}};
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    view["rows"].push_back({{"name", table.rows[row].name},
                            {"x", at(kNames - 10)},
                            {"y", at(kTop + kLine * (static_cast<double>(row) + 0.5) + 4)}});
  }
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    view["panels"].push_back(panel(table, column));
  }
  return fill_template("result_plot.svg", view);
}

}  // namespace leaf::report
