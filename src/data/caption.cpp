#include "data/caption.h"

#include <ATen/ATen.h>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace leaf::data {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;

cv::Size size_of_text(const std::string& text, double scale) {
  int baseline = 0;
  return cv::getTextSize(text, kFont, scale, 1, &baseline);
}

/// A character per code point, as far as the font has it.
std::string plain(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      result += byte < 0x20 || byte == 0x7F ? '?' : c;
    } else if (byte >= 0xC0) {
      result += '?';
    }
  }
  return result;
}

}  // namespace

at::Tensor caption(const std::string& text, std::int64_t height, std::int64_t width) {
  const at::Tensor picture = at::full({height, width, 3}, 255, at::kByte);
  cv::Mat canvas(static_cast<int>(height), static_cast<int>(width), CV_8UC3, picture.data_ptr());
  const double scale = static_cast<double>(height) / 48;
  std::string line = plain(text);
  while (line.size() > 4 && size_of_text(line, scale).width > width) {
    line = line.substr(0, line.size() - 4) + "...";
  }
  const cv::Size size = size_of_text(line, scale);
  cv::putText(canvas, line, {(canvas.cols - size.width) / 2, (canvas.rows + size.height) / 2},
              kFont, scale, cv::Scalar(0, 0, 0), 1, cv::LINE_AA);
  return picture;
}

}  // namespace leaf::data
