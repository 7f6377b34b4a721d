#include "leaf/data/maps.h"

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "data/writers/png_encoder.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf::data {

void write_png16(const std::filesystem::path& path, const at::Tensor& values) {
  constexpr double kLargest = 65535;
  const at::Tensor levels = values.mul(kLargest).round().clamp(0, kLargest).to(at::kInt);
  write_file(path, encode_png_samples(levels));
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
