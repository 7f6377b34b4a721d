#include "leaf/data/image_io.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "data/exif.h"
#include "leaf/core/files.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// A matrix header on a tensor's memory, uint8 [H,W] or [H,W,C].
cv::Mat view(const at::Tensor& image) {
  const int channels = image.dim() == 3 ? static_cast<int>(image.size(2)) : 1;
  return {static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), CV_8UC(channels),
          image.data_ptr()};
}

const cv::Scalar kYellow(255, 220, 0);

void draw_outline(cv::Mat& canvas, const at::Tensor& mask, const cv::Scalar& colour) {
  const at::Tensor dense = mask.ne(0).to(at::kByte).contiguous();
  std::vector<std::vector<cv::Point>> outlines;
  cv::findContours(view(dense), outlines, cv::RETR_CCOMP, cv::CHAIN_APPROX_NONE);
  const int thickness = std::max(1, std::min(canvas.rows, canvas.cols) / 256);
  cv::drawContours(canvas, outlines, -1, colour, thickness, cv::LINE_8);
}

}  // namespace

void write_png(const fs::path& path, const at::Tensor& image) {
  write_file(path, encode_png(image));
}

void write_jpeg(const fs::path& path, const at::Tensor& image, int quality) {
  write_file(path, encode_jpeg(image, quality));
}

at::Tensor overlay(const at::Tensor& rgb, const at::Tensor& mask,
                   const std::optional<at::Tensor>& truth) {
  const at::Tensor picture = rgb.clone(at::MemoryFormat::Contiguous);
  cv::Mat canvas = view(picture);
  if (truth) {
    draw_outline(canvas, *truth, cv::Scalar(0, 220, 0));
  }
  draw_outline(canvas, mask, kYellow);
  return picture;
}

at::Tensor filled_overlay(const at::Tensor& rgb, const at::Tensor& mask) {
  constexpr double kShare = 0.35;
  const at::Tensor picture = rgb.clone(at::MemoryFormat::Contiguous);
  cv::Mat canvas = view(picture);
  cv::Mat tinted;
  cv::addWeighted(canvas, 1 - kShare, cv::Mat(canvas.size(), canvas.type(), kYellow), kShare, 0,
                  tinted);
  const at::Tensor inside = mask.ne(0).to(at::kByte).contiguous();
  tinted.copyTo(canvas, view(inside));
  return overlay(picture, mask);
}

}  // namespace leaf::data
