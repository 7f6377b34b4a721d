#include "leaf/data/contours.h"

#include <ATen/ATen.h>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace leaf::data {
namespace {

std::vector<double> polygon_of(const std::vector<cv::Point>& outline) {
  if (outline.size() >= 3) {
    std::vector<double> polygon;
    for (const cv::Point& point : outline) {
      polygon.insert(polygon.end(), {static_cast<double>(point.x), static_cast<double>(point.y)});
    }
    return polygon;
  }
  const cv::Rect box = cv::boundingRect(outline);
  const double left = box.x;
  const double top = box.y;
  const double right = box.x + box.width;
  const double bottom = box.y + box.height;
  return {left, top, right, top, right, bottom, left, bottom};
}

}  // namespace

std::vector<std::vector<double>> outline_polygons(const at::Tensor& mask) {
  const at::Tensor dense = mask.contiguous();
  const cv::Mat view(static_cast<int>(dense.size(0)), static_cast<int>(dense.size(1)), CV_8U,
                     dense.data_ptr());
  std::vector<std::vector<cv::Point>> outlines;
  cv::findContours(view, outlines, cv::RETR_EXTERNAL, cv::CHAIN_APPROX_SIMPLE);
  std::vector<std::vector<double>> polygons;
  for (const std::vector<cv::Point>& outline : outlines) {
    polygons.push_back(polygon_of(outline));
  }
  return polygons;
}

std::vector<std::int64_t> run_lengths(const at::Tensor& mask) {
  const at::Tensor columns = mask.t().contiguous();
  const auto* pixel = columns.const_data_ptr<std::uint8_t>();
  std::vector<std::int64_t> counts{0};
  bool target = false;
  for (const auto* end = pixel + columns.numel(); pixel != end; ++pixel) {
    if ((*pixel != 0) != target) {
      target = !target;
      counts.push_back(0);
    }
    ++counts.back();
  }
  return counts;
}

std::string compressed_runs(const std::vector<std::int64_t>& counts) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    // From the third on the difference to the run of the same kind before; five bits a character.
    std::int64_t rest = i > 2 ? counts[i] - counts[i - 2] : counts[i];
    for (bool more = true; more;) {
      std::int64_t bits = rest & 0x1F;
      rest >>= 5;
      more = (bits & 0x10) != 0 ? rest != -1 : rest != 0;
      bits |= more ? 0x20 : 0;
      text += static_cast<char>(bits + 48);
    }
  }
  return text;
}

}  // namespace leaf::data
