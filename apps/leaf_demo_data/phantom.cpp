#include "leaf_demo_data/phantom.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <numbers>
#include <sstream>
#include <vector>

#include "canvas.h"
#include "leaf/core/error.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"

namespace leaf::apps {
namespace {

constexpr double kTau = 2.0 * std::numbers::pi;

Point random_point(RandomStream& draw, double margin) {
  const double x = draw.uniform(margin, 1.0 - margin);
  return {x, draw.uniform(margin, 1.0 - margin)};
}

/// An ellipse whose radius wavers with the angle.
class Blob {
 public:
  Blob(double radius, RandomStream& draw)
      : centre_(random_point(draw, 0.24)),
        radius_(radius),
        stretch_(draw.uniform(1.0, 1.55)),
        angle_(draw.uniform(0.0, kTau)) {
    for (std::size_t k = 0; k < waves_.size(); ++k) {
      waves_[k] = {draw.uniform(0.0, 0.2) / (static_cast<double>(k) + 1.0),
                   draw.uniform(0.0, kTau)};
    }
  }

  /// Below 0 inside.
  double distance(Point p) const {
    const Point d = p - centre_;
    const double x = (std::cos(angle_) * d.x + std::sin(angle_) * d.y) / std::sqrt(stretch_);
    const double y = (std::cos(angle_) * d.y - std::sin(angle_) * d.x) * std::sqrt(stretch_);
    const double theta = std::atan2(y, x);
    double wobble = 1.0;
    for (std::size_t k = 0; k < waves_.size(); ++k) {
      wobble += waves_[k].x * std::cos((static_cast<double>(k) + 2.0) * theta + waves_[k].y);
    }
    return std::hypot(x, y) - radius_ * wobble;
  }

 private:
  Point centre_;
  double radius_;
  double stretch_;
  double angle_;
  std::array<Point, 5> waves_{};  // amplitude and phase of 2 to 6 waves round the edge
};

void paint_tissue(Canvas& canvas, RandomStream& draw) {
  const double level = draw.uniform(0.42, 0.62);
  const Colour tint = {draw.uniform(1.05, 1.25), draw.uniform(0.8, 0.95), draw.uniform(0.65, 0.9)};
  const double direction = draw.uniform(0.0, kTau);
  const double slope = draw.uniform(0.1, 0.5);
  const double vignette = draw.uniform(0.0, 0.5);
  const Texture texture(3, 5, 0.72, draw);
  const double roughness = draw.uniform(0.05, 0.1);
  canvas.each([&](Point p, Colour& pixel) {
    const Point d = p - Point{0.5, 0.5};
    const double light = 1.0 +
                         slope * (d.x * std::cos(direction) + d.y * std::sin(direction)) * 1.6 -
                         vignette * (d.x * d.x + d.y * d.y);
    for (std::size_t c = 0; c < pixel.size(); ++c) {
      pixel[c] = tint[c] * (level * light + roughness * texture.at(p));
    }
  });
}

/// Shifts brightness and colour inside the blob, most in its middle, and roughens it.
void paint_target(Canvas& canvas, const Blob& blob, RandomStream& draw) {
  const double sign = draw.uniform() < 0.55 ? -1.0 : 1.0;
  const double contrast = sign * draw.uniform(0.09, 0.2);
  const Colour shift = {contrast + draw.uniform(0.0, 0.05), contrast - draw.uniform(0.0, 0.05),
                        contrast + draw.uniform(-0.05, 0.05)};
  const double softness = draw.uniform(0.012, 0.035);
  const Texture texture(8, 3, 0.7, draw);
  const double roughness = draw.uniform(0.02, 0.06);
  canvas.each([&](Point p, Colour& pixel) {
    const double inside = soft_inside(blob.distance(p), softness);
    for (std::size_t c = 0; c < pixel.size(); ++c) {
      pixel[c] += inside * (shift[c] + roughness * texture.at(p));
    }
  });
}

/// A thin curve from edge to edge: a parabola through three points, as a chain of short strokes.
void paint_hair(Canvas& canvas, RandomStream& draw) {
  const Point from = random_point(draw, -0.1);
  const Point over = random_point(draw, 0.1);
  const Point to = random_point(draw, -0.1);
  const double shade = draw.uniform() < 0.8 ? draw.uniform(0.05, 0.2) : draw.uniform(0.8, 0.95);
  const double width = draw.uniform(0.5, 1.0) * canvas.pixel();
  constexpr int kStrokes = 40;
  std::vector<Point> curve;
  for (int i = 0; i <= kStrokes; ++i) {
    const double t = static_cast<double>(i) / kStrokes;
    const double a = (1 - t) * (1 - t);
    const double b = 2 * t * (1 - t);
    curve.push_back(
        {a * from.x + b * over.x + t * t * to.x, a * from.y + b * over.y + t * t * to.y});
  }
  canvas.cover({shade, shade * 0.85, shade * 0.75}, [&](Point p) {
    double nearest = 1.0;
    for (std::size_t i = 0; i + 1 < curve.size(); ++i) {
      const Point along = curve[i + 1] - curve[i];
      const Point d = p - curve[i];
      const double t = std::clamp(
          (d.x * along.x + d.y * along.y) / std::max(along.x * along.x + along.y * along.y, 1e-12),
          0.0, 1.0);
      nearest = std::min(nearest, length({d.x - t * along.x, d.y - t * along.y}));
    }
    return 0.85 * soft_inside(nearest - width, 0.5 * canvas.pixel());
  });
}

/// A small glint.
void paint_speck(Canvas& canvas, RandomStream& draw) {
  const Point centre = random_point(draw, 0.03);
  const double radius = draw.uniform(0.006, 0.022);
  const double strength = draw.uniform(0.6, 0.95);
  canvas.cover({0.98, 0.97, 0.93}, [&](Point p) {
    return strength * soft_inside(length(p - centre) - radius, canvas.pixel());
  });
}

/// A bubble's rim, brighter or darker than the tissue.
void paint_ring(Canvas& canvas, RandomStream& draw) {
  const Point centre = random_point(draw, 0.08);
  const double radius = draw.uniform(0.03, 0.08);
  const double shade = draw.uniform() < 0.5 ? 0.15 : 0.9;
  const double width = draw.uniform(0.5, 0.9) * canvas.pixel();
  canvas.cover({shade, shade * 0.95, shade * 0.9}, [&](Point p) {
    return 0.6 * soft_inside(std::abs(length(p - centre) - radius) - width, 0.7 * canvas.pixel());
  });
}

/// A straight-edged bar at the border, as of an instrument or a label; it hides what lies under it.
void paint_cover(Canvas& canvas, RandomStream& draw) {
  const double angle = draw.uniform(0.0, kTau);
  const double reach = draw.uniform(0.37, 0.46);
  const double shade = draw.uniform() < 0.5 ? draw.uniform(0.02, 0.12) : draw.uniform(0.7, 0.85);
  canvas.cover({shade, shade, shade * 1.05}, [&](Point p) {
    const double out = (p.x - 0.5) * std::cos(angle) + (p.y - 0.5) * std::sin(angle);
    return soft_inside(reach - out, canvas.pixel());
  });
}

template <typename Paint>
void repeat(std::uint64_t most, RandomStream& draw, const Paint& paint) {
  for (std::uint64_t n = draw.below(most + 1); n > 0; --n) {
    paint();
  }
}

void add_grain(Canvas& canvas, RandomStream& draw) {
  const double grain = draw.uniform(0.008, 0.025);
  canvas.each([&](Point, Colour& pixel) {
    for (double& value : pixel) {
      value += grain * draw.normal();
    }
  });
}

at::Tensor blob_mask(const Blob& blob, std::int64_t size) {
  Canvas canvas(size);
  canvas.cover({1, 1, 1}, [&](Point p) { return blob.distance(p) < 0 ? 1.0 : 0.0; });
  return canvas.bytes().select(2, 0).contiguous();
}

}  // namespace

Phantom make_phantom(std::int64_t size, std::uint64_t seed, std::uint64_t index) {
  RandomStream draw(seed, Purpose::kPhantom, index);
  Canvas canvas(size);
  Phantom phantom;
  phantom.mask = at::zeros({size, size}, at::kByte);
  paint_tissue(canvas, draw);
  constexpr double kWithoutTarget = 0.1;
  if (draw.uniform() >= kWithoutTarget) {
    const Blob blob(draw.uniform(0.09, 0.25), draw);
    paint_target(canvas, blob, draw);
    phantom.mask = blob_mask(blob, size);
  }
  repeat(3, draw, [&] { paint_ring(canvas, draw); });
  repeat(10, draw, [&] { paint_speck(canvas, draw); });
  repeat(4, draw, [&] { paint_hair(canvas, draw); });
  if (draw.uniform() < 0.35) {
    paint_cover(canvas, draw);
  }
  add_grain(canvas, draw);
  phantom.image = canvas.bytes();
  return phantom;
}

void write_phantoms(const std::filesystem::path& folder, std::int64_t count, std::int64_t size,
                    std::uint64_t seed) {
  if (count < 1 || size < 16) {
    throw ConfigError(str("phantoms: count ", count, " and size ", size,
                          "; count must be at least 1 and size at least 16"));
  }
  for (std::int64_t i = 1; i <= count; ++i) {
    const Phantom phantom = make_phantom(size, seed, i);
    std::ostringstream name;
    name << std::setw(4) << std::setfill('0') << i << ".png";
    data::write_png(folder / "images" / name.str(), phantom.image);
    data::write_png(folder / "masks" / name.str(), phantom.mask);
  }
}

}  // namespace leaf::apps
