#include "leaf/report/model_comparison.h"

#include <algorithm>
#include <cmath>

#include "core/csv.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "markdown.h"
#include "page.h"

namespace leaf::report {
namespace {

constexpr int kTicks = 4;  // of an axis, beside its first

/// One axis of the plot: values between low and high lie between two coordinates.
struct PlotAxis {
  double low, high;
  double first, last;

  double coordinate(double value) const {
    return first + (value - low) / (high - low) * (last - first);
  }
  double tick(int i) const { return low + i * (high - low) / kTicks; }
};

/// An axis with all of the values, and room at both ends.
PlotAxis axis_of(const std::vector<double>& values, double least_span, double first, double last) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double room = std::max(0.1 * (*high - *low), least_span / 2);
  return {*low - room, *high + room, first, last};
}

template <typename Value>
std::vector<double> values_of(const ModelComparison& comparison, const Value& value) {
  std::vector<double> values;
  for (const ComparedModel& model : comparison.models) {
    values.push_back(value(model));
  }
  return values;
}

std::string coordinate_text(double value) { return fixed(value, 1); }

/// Milliseconds with two digits at least.
std::string time_text(double value) { return fixed(value, value >= 10 ? 0 : value >= 1 ? 1 : 2); }

std::string plot(const ModelComparison& comparison) {
  const auto log_time = [](const ComparedModel& m) { return std::log10(m.milliseconds); };
  const PlotAxis x = axis_of(values_of(comparison, log_time), 0.2, 60, 520);
  const PlotAxis y =
      axis_of(values_of(comparison, [](const ComparedModel& m) { return m.dice; }), 0.01, 270, 40);
  Json view{{"title", comparison.title},
            {"x", Json::array()},
            {"y", Json::array()},
            {"models", Json::array()}};
  for (int i = 0; i <= kTicks; ++i) {
    view["x"].push_back({{"at", coordinate_text(x.coordinate(x.tick(i)))},
                         {"text", time_text(std::pow(10, x.tick(i)))}});
    view["y"].push_back(
        {{"at", coordinate_text(y.coordinate(y.tick(i)))}, {"text", fixed(y.tick(i), 3)}});
  }
  for (const ComparedModel& model : comparison.models) {
    const double place = x.coordinate(log_time(model));
    const bool right = place > (x.first + x.last) / 2;  // its name then stands to the left
    view["models"].push_back(
        {{"x", coordinate_text(place)},
         {"y", coordinate_text(y.coordinate(model.dice))},
         {"dx", right ? "-8" : "8"},
         {"anchor", right ? "end" : "start"},
         {"name", model.name},
         {"text", str(fixed(model.milliseconds, 1), " ms, Dice ", fixed(model.dice, 4))}});
  }
  return fill_template("model_comparison.svg", view);
}

std::string csv_text(const ModelComparison& comparison) {
  std::string text = csv_row(
      {"model", "gmac", "parameters", "milliseconds", "times_as_fast", "dice", "agreement"});
  for (const ComparedModel& model : comparison.models) {
    text += csv_row({model.name, exact(model.gmac), std::to_string(model.parameters),
                     exact(model.milliseconds), exact(model.times_as_fast), exact(model.dice),
                     exact(model.agreement)});
  }
  return text;
}

}  // namespace

std::string model_table(const ModelComparison& comparison) {
  const std::vector<std::string> head{"model",         "GMAC", "parameters, M", "ms an image",
                                      "times as fast", "Dice", "agreement"};
  std::string text = markdown_row(head) + markdown_rule(head.size());
  for (const ComparedModel& model : comparison.models) {
    text += markdown_row({markdown(model.name), fixed(model.gmac, 2),
                          fixed(static_cast<double>(model.parameters) / 1e6, 2),
                          fixed(model.milliseconds, 1), fixed(model.times_as_fast, 2),
                          fixed(model.dice, 4), fixed(model.agreement, 4)});
  }
  return text;
}

void write_model_comparison(const std::filesystem::path& folder,
                            const ModelComparison& comparison) {
  make_folder(folder);
  write_file(
      folder / "models.md",
      str("# ", comparison.title, "\n\n", model_table(comparison),
          "\nAgreement is the mean Dice against the first model's masks. Times are medians; "
          "\"times as fast\" is the first model's median of the calls made in turns with this "
          "one's, over this one's.\n"));
  write_file(folder / "models.csv", csv_text(comparison));
  write_file(folder / "models.svg", plot(comparison));
}

}  // namespace leaf::report
