#include "leaf/data/maps.h"

#include <ATen/ATen.h>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace {

constexpr int kLargest = 65535;

/// levels: int32 [H,W] of 0 to 65535.
void write_grey16(const std::filesystem::path& path, const at::Tensor& levels) {
  const at::Tensor dense = levels.contiguous();
  cv::Mat pixels;
  cv::Mat(static_cast<int>(dense.size(0)), static_cast<int>(dense.size(1)), CV_32S,
          dense.data_ptr())
      .convertTo(pixels, CV_16U);
  std::vector<unsigned char> bytes;
  if (!cv::imencode(".png", pixels, bytes)) {
    throw FileError(str("cannot encode '", path.string(), "' as png"));
  }
  write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

void write_png16(const std::filesystem::path& path, const at::Tensor& values) {
  write_grey16(path, values.mul(static_cast<double>(kLargest))
                         .round()
                         .clamp(0, static_cast<double>(kLargest))
                         .to(at::kInt));
}

void write_labels(const std::filesystem::path& path, const at::Tensor& labels) {
  const int most = labels.max().item<int>();
  if (most > kLargest) {
    throw DataError(str("'", path.string(), "' cannot hold ", most, " labels, only ", kLargest));
  }
  write_grey16(path, labels);
}

void write_npy(const std::filesystem::path& path, const at::Tensor& values) {
  constexpr std::size_t kBlock = 64;  // where the numbers begin is a multiple of it
  constexpr std::size_t kPrefix = 10;
  const at::Tensor dense = values.to(at::kFloat).contiguous();
  std::string header = str("{'descr': '<f4', 'fortran_order': False, 'shape': (", dense.size(0),
                           ", ", dense.size(1), "), }");
  header.resize((kPrefix + header.size() + kBlock) / kBlock * kBlock - kPrefix - 1, ' ');
  header += '\n';
  std::string content("\x93NUMPY\x01\0", 8);
  content += static_cast<char>(header.size() & 0xFF);
  content += static_cast<char>(header.size() >> 8);
  content += header;
  content.append(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes());
  write_file(path, content);
}

}  // namespace leaf::data
