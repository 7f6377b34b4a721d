#include "leaf/data/image_io.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "data/exif.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "picture_view.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// OpenCV shall neither print nor start threads of its own: leaf reports errors and loads in
/// parallel.
void calm_opencv() {
  static const bool done = [] {
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::setNumThreads(1);
    return true;
  }();
  static_cast<void>(done);
}

/// Image bytes of the type that `extension` names; empty where OpenCV cannot.
std::string encode(const at::Tensor& image, const char* extension,
                   const std::vector<int>& options) {
  calm_opencv();
  const at::Tensor dense = image.contiguous();
  cv::Mat pixels = picture_view(dense);
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

}  // namespace leaf::data
