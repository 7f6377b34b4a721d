#include <ATen/ATen.h>

#include <string>

#include "leaf/core/strings.h"
#include "leaf/data/maps.h"

namespace leaf::data {
namespace {

/// Version 1 of the format.
std::string encode(const at::Tensor& values) {
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
  return content;
}

}  // namespace

MapWriter npy_writer() { return {"npy", ".npy", encode}; }

}  // namespace leaf::data
