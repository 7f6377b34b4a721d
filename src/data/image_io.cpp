#include "leaf/data/image_io.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/exif.h"

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

[[noreturn]] void fail(const fs::path& path, std::string_view reason) {
  throw DataError(str("cannot read image '", path.string(), "': ", reason));
}

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xFF\xD8\xFF"); }

/// A JPEG whose scan has no end marker. A thumbnail inside the header has its own, so the search
/// starts at the scan, whose data never hold an unescaped marker.
bool jpeg_is_cut(std::string_view bytes) {
  std::size_t at = 2;
  while (at + 4 <= bytes.size() && bytes[at] == '\xFF' && bytes[at + 1] != '\xDA') {
    const auto high = static_cast<unsigned char>(bytes[at + 2]);
    const auto low = static_cast<unsigned char>(bytes[at + 3]);
    at += bytes[at + 1] == '\xFF' ? 1U : 2U + high * 256U + low;
  }
  return bytes.find("\xFF\xD9", at) == std::string_view::npos;
}

/// A BMP shorter than its header says.
bool bitmap_is_cut(std::string_view bytes) {
  constexpr std::size_t kHeaderBytes = 54;
  std::uint32_t stated = 0;
  for (std::size_t i = 5; i >= 2 && i < bytes.size(); --i) {
    stated = stated << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return bytes.size() < std::max<std::size_t>(kHeaderBytes, stated);
}

bool is_cut(std::string_view bytes) {
  if (is_jpeg(bytes)) {
    return jpeg_is_cut(bytes);
  }
  if (bytes.starts_with("\x89PNG")) {
    return bytes.find("IEND") == std::string_view::npos;
  }
  return bytes.starts_with("BM") && bitmap_is_cut(bytes);
}

std::string read_bytes(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    fail(path, "no such file");
  }
  if (fs::is_directory(path, ignored)) {
    fail(path, "it is a folder");
  }
  try {
    return read_file(path);
  } catch (const FileError& error) {
    throw DataError(error.what());
  }
}

cv::Mat decode(const fs::path& path, const std::string& bytes, int flags) {
  calm_opencv();
  if (bytes.empty()) {
    fail(path, "the file is empty");
  }
  if (is_cut(bytes)) {
    fail(path, "the file is truncated; copy it again");
  }
  const auto count = static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX));
  const cv::Mat raw(1, count, CV_8U, const_cast<char*>(bytes.data()));
  cv::Mat decoded;
  try {
    decoded = cv::imdecode(raw, flags);
  } catch (const cv::Exception& error) {
    fail(path, "damaged or too large (" + error.err + ")");
  }
  if (decoded.empty()) {
    fail(path, "not an image in PNG, JPEG, TIFF or BMP format, or damaged");
  }
  return decoded;
}

/// A matrix header on a tensor's memory, uint8 [H,W] or [H,W,C].
cv::Mat view(const at::Tensor& image) {
  const int channels = image.dim() == 3 ? static_cast<int>(image.size(2)) : 1;
  return {static_cast<int>(image.size(0)), static_cast<int>(image.size(1)), CV_8UC(channels),
          image.data_ptr()};
}

/// 8 bits per channel: see read_mask for what becomes of more.
cv::Mat to_8_bit(const cv::Mat& mask) {
  if (mask.depth() == CV_8U) {
    return mask;
  }
  double largest = 0;
  cv::minMaxIdx(mask.reshape(1), nullptr, &largest);
  cv::Mat result;
  mask.convertTo(result, CV_8U, mask.depth() == CV_16U && largest > 255 ? 1.0 / 257.0 : 1.0);
  return result;
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

LoadedImage read_image(const fs::path& path) {
  const std::string bytes = read_bytes(path);
  const cv::Mat bgr = decode(path, bytes, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  const at::Tensor rgb = at::empty({bgr.rows, bgr.cols, 3}, at::kByte);
  cv::Mat target = view(rgb);
  cv::cvtColor(bgr, target, cv::COLOR_BGR2RGB);
  const int orientation = is_jpeg(bytes) ? exif_orientation(bytes) : 1;
  return {apply_orientation(rgb, orientation), orientation};
}

at::Tensor read_mask(const fs::path& path, MaskChannel channel) {
  const cv::Mat stored = to_8_bit(decode(path, read_bytes(path), cv::IMREAD_UNCHANGED));
  const at::Tensor mask = at::empty({stored.rows, stored.cols}, at::kByte);
  cv::Mat target = view(mask);
  if (stored.channels() < 3) {
    cv::extractChannel(stored, target, 0);
    return mask;
  }
  std::vector<cv::Mat> bgr;
  cv::split(stored, bgr);
  if (channel == MaskChannel::kGreen) {
    bgr[1].copyTo(target);
  } else {
    cv::max(bgr[0], bgr[1], target);
    cv::max(bgr[2], target, target);
  }
  return mask;
}

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
