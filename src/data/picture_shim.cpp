#include <ATen/ATen.h>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/picture.h"
namespace leaf::data {
Picture read_picture(const std::filesystem::path& path, const PictureLimits&) {
  std::error_code e;
  if (!std::filesystem::exists(path, e))
    throw DataError(str("cannot read image '", path.string(), "': no such file"));
  const std::string bytes = read_file(path);
  const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  cv::Mat m = cv::imdecode(raw, cv::IMREAD_UNCHANGED);
  if (m.empty()) throw DataError(str("cannot read image '", path.string(), "': damaged"));
  if (m.channels() == 3) cv::cvtColor(m, m, cv::COLOR_BGR2RGB);
  if (m.channels() == 4) cv::cvtColor(m, m, cv::COLOR_BGRA2RGBA);
  Picture p;
  p.alpha = m.channels() % 2 == 0;
  const auto type = m.depth() == CV_8U ? at::kByte : m.depth() == CV_16U ? at::kInt : at::kFloat;
  p.bits = m.depth() == CV_8U ? 8 : m.depth() == CV_16U ? 16 : 32;
  cv::Mat c;
  m.convertTo(c, type == at::kByte ? CV_8U : type == at::kInt ? CV_32S : CV_32F);
  p.samples = at::from_blob(c.data, {m.rows, m.cols, m.channels()}, type).clone();
  p.lossy = bytes.starts_with("\xFF\xD8");
  return p;
}
}  // namespace leaf::data
