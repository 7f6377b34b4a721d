#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "distance_transform.h"
#include "leaf/metrics/scores.h"
#include "pixels.h"
#include "samples.h"

namespace leaf::metrics {
namespace {

/// The part of a picture that holds all targets, and a frame of background around it: what lies
/// further out changes no distance.
struct Frame {
  std::size_t top = 0;
  std::size_t left = 0;
  std::size_t height = 0;  ///< without the frame; 0 where there is no target
  std::size_t width = 0;
};

Frame frame_of(const Pixels& a, const Pixels& b) {
  std::size_t top = a.height;
  std::size_t bottom = 0;
  std::size_t left = a.width;
  std::size_t right = 0;
  for (std::size_t row = 0; row < a.height; ++row) {
    for (std::size_t column = 0; column < a.width; ++column) {
      if ((a.at(row, column) | b.at(row, column)) != 0) {
        top = std::min(top, row);
        bottom = row + 1;
        left = std::min(left, column);
        right = std::max(right, column + 1);
      }
    }
  }
  return bottom == 0 ? Frame{} : Frame{top, left, bottom - top, right - left};
}

Pixels framed(const Pixels& mask, const Frame& frame) {
  Pixels part{frame.height + 2, frame.width + 2, {}};
  part.values.assign(part.height * part.width, 0);
  for (std::size_t row = 0; row < frame.height; ++row) {
    for (std::size_t column = 0; column < frame.width; ++column) {
      part.values[(row + 1) * part.width + column + 1] =
          mask.at(frame.top + row, frame.left + column);
    }
  }
  return part;
}

bool any(const Pixels& mask) {
  return std::any_of(mask.values.begin(), mask.values.end(), [](auto value) { return value != 0; });
}

/// 1 on target pixels with a background neighbour; the frame itself has no target.
Pixels outline(const Pixels& mask) {
  Pixels edge{mask.height, mask.width, std::vector<std::uint8_t>(mask.values.size())};
  for (std::size_t i = mask.width; i + mask.width < mask.values.size(); ++i) {
    const auto& v = mask.values;
    const bool inside = (v[i - 1] & v[i + 1] & v[i - mask.width] & v[i + mask.width]) != 0;
    edge.values[i] = v[i] != 0 && !inside ? 1 : 0;
  }
  return edge;
}

/// Distances of the outline `from` to the outline `to`.
std::vector<double> outline_distances(const Pixels& from, const Pixels& to,
                                      const Spacing& spacing) {
  const std::vector<double> squared = squared_distances(to, spacing);
  std::vector<double> distances;
  for (std::size_t i = 0; i < squared.size(); ++i) {
    if (from.values[i] != 0) {
      distances.push_back(std::sqrt(squared[i]));
    }
  }
  std::sort(distances.begin(), distances.end());
  return distances;
}

double sum(const std::vector<double>& values) {
  double total = 0;
  for (const double value : values) {
    total += value;
  }
  return total;
}

/// What distances of exactly `limit` come to: three steps of 0.1 are a little more than 0.3.
double with_rounding(double limit) { return limit * (1 + 1e-12); }

/// How many of the sorted distances do not exceed the tolerance.
double within(const std::vector<double>& distances, double tolerance) {
  const auto end = std::upper_bound(distances.begin(), distances.end(), with_rounding(tolerance));
  return static_cast<double>(end - distances.begin());
}

void add_distances(BoundaryScores& scores, const Pixels& prediction, const Pixels& truth,
                   const Spacing& spacing, double tolerance) {
  const Pixels a = outline(prediction);
  const Pixels b = outline(truth);
  const std::vector<double> to_truth = outline_distances(a, b, spacing);
  const std::vector<double> to_prediction = outline_distances(b, a, spacing);
  const auto count = static_cast<double>(to_truth.size() + to_prediction.size());
  scores.hausdorff = std::max(to_truth.back(), to_prediction.back());
  scores.hd95 = std::max(sorted_percentile(to_truth, 0.95), sorted_percentile(to_prediction, 0.95));
  scores.assd = (sum(to_truth) + sum(to_prediction)) / count;
  scores.nsd = (within(to_truth, tolerance) + within(to_prediction, tolerance)) / count;
}

/// 1 on target pixels whose distance to the background is at most `width`.
Pixels band(const Pixels& mask, const Spacing& spacing, double width) {
  Pixels background = mask;
  for (std::uint8_t& value : background.values) {
    value = value == 0 ? 1 : 0;
  }
  const std::vector<double> squared = squared_distances(background, spacing);
  Pixels result = mask;
  for (std::size_t i = 0; i < squared.size(); ++i) {
    result.values[i] = mask.values[i] != 0 && std::sqrt(squared[i]) <= with_rounding(width) ? 1 : 0;
  }
  return result;
}

/// Undefined where the tolerance is narrower than a pixel, so that there is no band.
double iou(const Pixels& a, const Pixels& b) {
  std::size_t both = 0;
  std::size_t either = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    both += a.values[i] & b.values[i];
    either += a.values[i] | b.values[i];
  }
  return either == 0 ? kUndefined : static_cast<double>(both) / static_cast<double>(either);
}

}  // namespace

BoundaryScores boundary_scores(const at::Tensor& prediction, const at::Tensor& truth,
                               const Spacing& spacing, double tolerance) {
  const Pixels whole_prediction = to_pixels(prediction);
  const Pixels whole_truth = to_pixels(truth);
  const Frame frame = frame_of(whole_prediction, whole_truth);
  BoundaryScores scores;
  if (frame.height == 0) {
    scores.nsd = scores.boundary_iou = 1;
    return scores;
  }
  const Pixels a = framed(whole_prediction, frame);
  const Pixels b = framed(whole_truth, frame);
  if (!any(a) || !any(b)) {
    scores.nsd = scores.boundary_iou = 0;
    return scores;
  }
  add_distances(scores, a, b, spacing, tolerance);
  scores.boundary_iou = iou(band(a, spacing, tolerance), band(b, spacing, tolerance));
  return scores;
}

}  // namespace leaf::metrics
