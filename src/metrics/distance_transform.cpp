#include "distance_transform.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace leaf::metrics {
namespace {

/// Farther than any pixel.
constexpr double kFar = std::numeric_limits<double>::infinity();

/// The lower envelope of the parabolas height[i] + (x - i * step)^2 along one line.
class Envelope {
 public:
  Envelope(std::size_t size, double step) : step_(step), apex_(size), start_(size + 1) {}

  /// Replaces each height by the envelope there.
  void apply(std::vector<double>& height) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < height.size(); ++i) {
      if (height[i] < kFar) {
        count = add(height, i, count);
      }
    }
    if (count > 0) {
      evaluate(height, count);
    }
  }

 private:
  double place(std::size_t i) const { return step_ * static_cast<double>(i); }

  /// Where the parabola of the later apex `b` falls below that of `a`.
  double crossing(const std::vector<double>& height, std::size_t a, std::size_t b) const {
    const double x = place(a);
    const double y = place(b);
    return (height[b] + y * y - height[a] - x * x) / (2 * (y - x));
  }

  /// Puts a parabola behind the first `count` ones and drops those that it hides.
  std::size_t add(const std::vector<double>& height, std::size_t i, std::size_t count) {
    double from = -kFar;
    while (count > 0 && (from = crossing(height, apex_[count - 1], i)) <= start_[count - 1]) {
      --count;
    }
    apex_[count] = i;
    start_[count] = count == 0 ? -kFar : from;
    return count + 1;
  }

  void evaluate(std::vector<double>& height, std::size_t count) {
    start_[count] = kFar;
    values_.resize(height.size());
    std::size_t k = 0;
    for (std::size_t i = 0; i < height.size(); ++i) {
      while (start_[k + 1] < place(i)) {
        ++k;
      }
      // Whole steps, as scipy's transform counts them: distances that are equal come out equal.
      const double apart = step_ * (static_cast<double>(i) - static_cast<double>(apex_[k]));
      values_[i] = apart * apart + height[apex_[k]];
    }
    height.swap(values_);
  }

  double step_;
  std::vector<std::size_t> apex_;
  std::vector<double> start_;  ///< where each parabola becomes the lowest
  std::vector<double> values_;
};

/// Down each column: the squared distance to the nearest site of the same column.
void pass_columns(const Pixels& sites, double step, std::vector<double>& squared) {
  const auto sweep = [&](std::size_t column, std::size_t row, double& rows) {
    rows = sites.at(row, column) != 0 ? 0 : rows + 1;
    double& value = squared[row * sites.width + column];
    value = std::min(value, rows * step * (rows * step));
  };
  for (std::size_t column = 0; column < sites.width; ++column) {
    double rows = kFar;
    for (std::size_t row = 0; row < sites.height; ++row) {
      sweep(column, row, rows);
    }
    rows = kFar;
    for (std::size_t row = sites.height; row-- > 0;) {
      sweep(column, row, rows);
    }
  }
}

}  // namespace

std::vector<double> squared_distances(const Pixels& sites, const Spacing& spacing) {
  std::vector<double> squared(sites.values.size(), kFar);
  pass_columns(sites, spacing.row, squared);
  Envelope envelope(sites.width, spacing.column);
  std::vector<double> line(sites.width);
  for (std::size_t row = 0; row < sites.height; ++row) {
    const auto begin = squared.begin() + static_cast<std::ptrdiff_t>(row * sites.width);
    line.assign(begin, begin + static_cast<std::ptrdiff_t>(sites.width));
    envelope.apply(line);
    std::copy(line.begin(), line.end(), begin);
  }
  return squared;
}

}  // namespace leaf::metrics
