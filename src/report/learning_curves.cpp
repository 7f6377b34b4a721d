#include "leaf/report/learning_curves.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "page.h"

namespace leaf::report {
namespace fs = std::filesystem;
namespace {

using Points = std::vector<std::pair<double, double>>;
using Curves = std::map<std::string, Points>;

constexpr double kWidth = 420;  // of a panel's plane
constexpr double kHeight = 180;
constexpr double kLeft = 60;
constexpr double kBetween = 90;
constexpr double kTop = 30;

bool is_shown(const std::string& phase, const std::string& name) {
  return phase == "train" ? name.starts_with("loss")
                          : name == "dice" || name == "iou" || name == "score" ||
                                name == "mask_dice" || name == "agreement";
}

/// The numbers of a phase by their names.
Curves read_curves(const fs::path& file, const std::string& phase) {
  Curves curves;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    const Json entry = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object() || entry.value("phase", "") != phase) {
      continue;
    }
    for (const auto& [name, value] : entry.items()) {
      if (value.is_number() && is_shown(phase, name)) {
        curves[name].emplace_back(entry.value("step", 0.0), value.get<double>());
      }
    }
  }
  return curves;
}

struct Range {
  double low, high;
  double share(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

Range range_of(const Curves& curves, bool of_steps) {
  std::vector<double> values;
  for (const auto& [name, points] : curves) {
    for (const auto& [step, value] : points) {
      values.push_back(of_steps ? step : value);
    }
  }
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high};
}

Json panel(const std::string& title, const Curves& curves, double left) {
  const Range steps = range_of(curves, true);
  const Range values = range_of(curves, false);
  const double bottom = kTop + kHeight;
  Json json{{"title", title},
            {"left", left},
            {"right", left + kWidth},
            {"bottom", bottom},
            {"first", fixed(steps.low, 0)},
            {"last", fixed(steps.high, 0)},
            {"low", fixed(values.low, 3)},
            {"high", fixed(values.high, 3)},
            {"lines", Json::array()}};
  int number = 0;
  for (const auto& [name, points] : curves) {
    std::string text;
    for (const auto& [step, value] : points) {
      text += str(fixed(left + steps.share(step) * kWidth, 1), ",",
                  fixed(bottom - values.share(value) * kHeight, 1), " ");
    }
    json["lines"].push_back({{"name", name},
                             {"points", text},
                             {"colour", number % 4},
                             {"label_x", left + 8},
                             {"label_y", kTop + 12 + 14 * number}});
    ++number;
  }
  return json;
}

}  // namespace

void write_learning_curves(const fs::path& run) {
  const fs::path file = run / "metrics.jsonl";
  if (!fs::exists(file)) {
    return;
  }
  Json view{{"panels", Json::array()}};
  double left = kLeft;
  for (const auto& [phase, title] : {std::pair("train", "loss"), {"validation", "validation"}}) {
    const Curves curves = read_curves(file, phase);
    if (!curves.empty()) {
      view["panels"].push_back(panel(title, curves, left));
      left += kWidth + kBetween;
    }
  }
  if (!view["panels"].empty()) {
    view["width"] = left - kBetween + 20;
    write_file(run / "curves.svg", fill_template("learning_curves.svg", view));
  }
}

}  // namespace leaf::report
