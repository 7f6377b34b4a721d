#include "leaf/data/image_io.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "calm_opencv.h"
#include "data/exif.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// A matrix header on a tensor's memory, uint8 [H,W] or [H,W,C].
cv::Mat view(const at::Tensor& image) {
  const int channels = image.dim() == 3 ? static_cast<int>(image.size(2)) : 1;
  return {static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), CV_8UC(channels),
          image.data_ptr()};
}

/// Image bytes of the type that `extension` names; empty where OpenCV cannot.
std::string encode(const at::Tensor& image, const char* extension,
                   const std::vector<int>& options) {
  calm_opencv();
  const at::Tensor dense = image.contiguous();
  cv::Mat pixels = view(dense);
  if (pixels.channels() == 3) {
    cv::Mat bgr;
    cv::cvtColor(pixels, bgr, cv::COLOR_RGB2BGR);
    pixels = bgr;
  }
  std::vector<unsigned char> bytes;
  if (!cv::imencode(extension, pixels, bytes, options)) {
    return {};
  }
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write_encoded(const fs::path& path, const at::Tensor& image, const char* extension,
                   const std::vector<int>& options) {
  const std::string bytes = encode(image, extension, options);
  if (bytes.empty()) {
    throw FileError(str("cannot encode '", path.string(), "' as ", extension + 1));
  }
  write_file(path, bytes);
}

void draw_outline(cv::Mat& canvas, const at::Tensor& mask, const cv::Scalar& colour) {
  const at::Tensor dense = mask.ne(0).to(at::kByte).contiguous();
  std::vector<std::vector<cv::Point>> outlines;
  cv::findContours(view(dense), outlines, cv::RETR_CCOMP, cv::CHAIN_APPROX_NONE);
  const int thickness = std::max(1, std::min(canvas.rows, canvas.cols) / 256);
  cv::drawContours(canvas, outlines, -1, colour, thickness, cv::LINE_8);
}

}  // namespace

void write_png(const fs::path& path, const at::Tensor& image) {
  write_encoded(path, image, ".png", {});
}

void write_jpeg(const fs::path& path, const at::Tensor& image, int quality) {
  write_encoded(path, image, ".jpg", {cv::IMWRITE_JPEG_QUALITY, quality});
}

std::string encode_jpeg(const at::Tensor& image, int quality) {
  return encode(image, ".jpg", {cv::IMWRITE_JPEG_QUALITY, quality});
}

at::Tensor overlay(const at::Tensor& rgb, const at::Tensor& mask,
                   const std::optional<at::Tensor>& truth) {
  const at::Tensor picture = rgb.clone(at::MemoryFormat::Contiguous);
  cv::Mat canvas = view(picture);
  if (truth) {
    draw_outline(canvas, *truth, cv::Scalar(0, 220, 0));
  }
  draw_outline(canvas, mask, cv::Scalar(255, 220, 0));
  return picture;
}

}  // namespace leaf::data
