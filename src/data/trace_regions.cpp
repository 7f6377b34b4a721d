#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <map>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <utility>

#include "core/calm_opencv.h"
#include "leaf/data/contours.h"

namespace leaf::data {
namespace {

using Point = std::array<std::int64_t, 2>;

/// The direction of an edge, clockwise on the screen; its target pixel is on the right-hand side.
enum Direction { kRight, kDown, kLeft, kUp };
constexpr std::array<Point, 4> kSteps{Point{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
/// From where an edge begins to its target pixel.
constexpr std::array<Point, 4> kInside{Point{0, 0}, {-1, 0}, {-1, -1}, {0, -1}};

Point moved(Point from, Point by) { return {from[0] + by[0], from[1] + by[1]}; }

/// The edges between target and background that are not walked yet, by where they begin.
class Edges {
 public:
  /// mask: uint8 [H,W]
  explicit Edges(const cv::Mat& mask) : edges_(mask.rows + 1, mask.cols + 1, CV_8U, cv::Scalar(0)) {
    const auto is_target = [&](int y, int x) {
      return y >= 0 && x >= 0 && y < mask.rows && x < mask.cols && mask.at<std::uint8_t>(y, x) != 0;
    };
    for (int y = 0; y < mask.rows; ++y) {
      for (int x = 0; x < mask.cols; ++x) {
        if (is_target(y, x)) {
          add(y, x, kRight, !is_target(y - 1, x));
          add(y, x + 1, kDown, !is_target(y, x + 1));
          add(y + 1, x + 1, kLeft, !is_target(y + 1, x));
          add(y + 1, x, kUp, !is_target(y, x - 1));
        }
      }
    }
  }

  int rows() const { return edges_.rows; }
  int columns() const { return edges_.cols; }
  bool any(Point at) const { return bits(at) != 0; }
  /// Two lines meet here.
  bool is_crossing(Point at) const { return std::popcount(bits(at)) > 1; }

  /// Takes away the edge that turns most to the right of the one that led here: the line stays with
  /// its pixel. There must be one.
  Direction take(Point at, Direction before) {
    for (const int turn : {1, 0, 3}) {
      const auto direction = static_cast<Direction>((before + turn) % 4);
      if ((bits(at) & (1U << direction)) != 0) {
        edges_.at<std::uint8_t>(static_cast<int>(at[1]), static_cast<int>(at[0])) &=
            static_cast<std::uint8_t>(~(1U << direction));
        return direction;
      }
    }
    return before;
  }

 private:
  void add(int y, int x, Direction direction, bool is_edge) {
    edges_.at<std::uint8_t>(y, x) |= static_cast<std::uint8_t>(is_edge ? 1U << direction : 0U);
  }
  unsigned bits(Point at) const {
    return edges_.at<std::uint8_t>(static_cast<int>(at[1]), static_cast<int>(at[0]));
  }

  cv::Mat edges_;
};

/// An edge of one pixel's length.
struct Edge {
  Point begin;
  Direction direction;
};
using Line = std::vector<Edge>;

/// The closed line from a point on, in pieces that do not touch themselves.
std::vector<Line> walk(Edges& edges, Point start) {
  std::vector<Line> loops;
  Line line;
  std::map<Point, std::size_t> crossings;  // where they stand in the line
  Point at = start;
  Direction direction = kRight;  // from a line's first point in reading order none leads left
  do {
    if (const auto seen = crossings.find(at); seen != crossings.end()) {
      const auto begin = line.begin() + static_cast<std::ptrdiff_t>(seen->second);
      loops.emplace_back(begin, line.end());
      line.erase(begin, line.end());
      std::erase_if(crossings, [&](const auto& entry) { return entry.second > line.size(); });
    } else if (edges.is_crossing(at)) {
      crossings.emplace(at, line.size());
    }
    direction = edges.take(at, direction);
    line.push_back({at, direction});
    at = moved(at, kSteps[direction]);
  } while (at != start);
  loops.push_back(std::move(line));
  return loops;
}

Ring corners_of(const Line& line) {
  Ring ring;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i].direction != line[(i + line.size() - 1) % line.size()].direction) {
      ring.push_back(line[i].begin);
    }
  }
  ring.push_back(ring.front());
  return ring;
}

/// Positive where the ring goes round target pixels.
std::int64_t twice_the_area(const Ring& ring) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    sum += ring[i][0] * ring[i + 1][1] - ring[i + 1][0] * ring[i][1];
  }
  return sum;
}

}  // namespace

std::vector<Region> trace_regions(const at::Tensor& mask) {
  calm_opencv();
  const at::Tensor dense = mask.contiguous();
  const cv::Mat pixels(static_cast<int>(mask.size(0)), static_cast<int>(mask.size(1)), CV_8U,
                       dense.data_ptr());
  cv::Mat labels;
  cv::Mat stats;
  cv::Mat centres;
  const int count = cv::connectedComponentsWithStats(pixels, labels, stats, centres, 4);
  std::vector<Region> regions(static_cast<std::size_t>(count - 1));
  Edges edges(pixels);
  for (std::int64_t y = 0; y < edges.rows(); ++y) {
    for (std::int64_t x = 0; x < edges.columns(); ++x) {
      while (edges.any({x, y})) {
        for (const Line& line : walk(edges, {x, y})) {
          const Point inside = moved(line.front().begin, kInside[line.front().direction]);
          const int label =
              labels.at<int>(static_cast<int>(inside[1]), static_cast<int>(inside[0]));
          Region& region = regions[static_cast<std::size_t>(label - 1)];
          region.pixels = stats.at<int>(label, cv::CC_STAT_AREA);
          Ring ring = corners_of(line);
          if (twice_the_area(ring) > 0) {
            region.exterior = std::move(ring);
          } else {
            region.holes.push_back(std::move(ring));
          }
        }
      }
    }
  }
  return regions;
}

}  // namespace leaf::data
