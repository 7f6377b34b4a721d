#pragma once

#include <ATen/core/TensorBody.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "leaf/core/random.h"

namespace leaf::apps {

using Colour = std::array<double, 3>;

struct Point {
  double x;
  double y;
};

inline Point operator-(Point a, Point b) { return {a.x - b.x, a.y - b.y}; }

inline double length(Point p) { return std::hypot(p.x, p.y); }

/// 1 well inside (distance below 0), 0 well outside, over about `softness` on either side.
inline double soft_inside(double distance, double softness) {
  return 1.0 / (1.0 + std::exp(std::clamp(2.0 * distance / softness, -40.0, 40.0)));
}

/// Smooth noise around 0, of unit lattice spacing: random values on a lattice, blended between.
class LatticeNoise {
 public:
  LatticeNoise(int cells, RandomStream& draw) : cells_(cells) {
    for (int i = 0; i < (cells + 2) * (cells + 2); ++i) {
      values_.push_back(draw.uniform(-1.0, 1.0));
    }
  }

  /// At a point of the unit square.
  double at(Point p) const {
    const double x = p.x * cells_;
    const double y = p.y * cells_;
    const double u = ease(x - std::floor(x));
    const double v = ease(y - std::floor(y));
    const int i = static_cast<int>(x);
    const int j = static_cast<int>(y);
    return (value(i, j) * (1 - u) + value(i + 1, j) * u) * (1 - v) +
           (value(i, j + 1) * (1 - u) + value(i + 1, j + 1) * u) * v;
  }

 private:
  static double ease(double t) { return t * t * (3.0 - 2.0 * t); }
  double value(int i, int j) const { return values_[j * (cells_ + 2) + i]; }

  int cells_;
  std::vector<double> values_;
};

/// Octaves of noise, each twice as fine and a bit weaker than the one before.
class Texture {
 public:
  Texture(int coarsest, int octaves, double decay, RandomStream& draw) : decay_(decay) {
    for (int i = 0; i < octaves; ++i) {
      layers_.emplace_back(coarsest << i, draw);
    }
  }

  double at(Point p) const {
    double sum = 0;
    double weight = 1;
    for (const LatticeNoise& layer : layers_) {
      sum += weight * layer.at(p);
      weight *= decay_;
    }
    return sum;
  }

 private:
  double decay_;
  std::vector<LatticeNoise> layers_;
};

/// A picture whose positions are points of the unit square.
class Canvas {
 public:
  explicit Canvas(std::int64_t size) : size_(size), pixels_(size * size) {}

  /// Calls edit(point, colour) for every pixel.
  template <typename Edit>
  void each(const Edit& edit) {
    for (std::int64_t i = 0; i < size_ * size_; ++i) {
      edit(centre(i), pixels_[i]);
    }
  }

  /// Mixes `colour` in, by coverage(point) in 0..1.
  template <typename Coverage>
  void cover(const Colour& colour, const Coverage& coverage) {
    each([&](Point p, Colour& pixel) {
      const double share = coverage(p);
      for (std::size_t c = 0; c < pixel.size(); ++c) {
        pixel[c] += share * (colour[c] - pixel[c]);
      }
    });
  }

  double pixel() const { return 1.0 / static_cast<double>(size_); }

  at::Tensor bytes() const {
    const at::Tensor image = at::empty({size_, size_, 3}, at::kByte);
    auto* out = image.mutable_data_ptr<std::uint8_t>();
    for (const Colour& colour : pixels_) {
      for (const double value : colour) {
        *out++ = static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 1.0) * 255.0));
      }
    }
    return image;
  }

 private:
  Point centre(std::int64_t i) const {
    const std::int64_t row = i / size_;
    return {(static_cast<double>(i % size_) + 0.5) * pixel(),
            (static_cast<double>(row) + 0.5) * pixel()};
  }

  std::int64_t size_;
  std::vector<Colour> pixels_;
};

}  // namespace leaf::apps
