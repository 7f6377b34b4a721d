#include "check_tensors.h"

#include <ATen/ATen.h>

#include <cstdio>
#include <cstdlib>

namespace leaf::fuzz {
namespace {

void require(bool fine, const char* what) {
  if (!fine) {
    std::fprintf(stderr, "a tensor %s\n", what);
    std::abort();
  }
}

/// One past the last byte that the tensor touches in its storage.
std::size_t end_of(const at::Tensor& tensor) {
  std::int64_t last = tensor.storage_offset();
  for (std::int64_t i = 0; i < tensor.dim(); ++i) {
    last += (tensor.size(i) - 1) * tensor.stride(i);
  }
  return static_cast<std::size_t>(last + 1) * tensor.element_size();
}

}  // namespace

void check_tensors(const io::TensorMap& tensors) {
  constexpr std::int64_t kMostCopied = 1 << 16;
  for (const auto& [name, tensor] : tensors) {
    require(tensor.defined(), "is undefined");
    if (tensor.numel() == 0) {
      continue;
    }
    require(end_of(tensor) <= tensor.storage().nbytes(), "reaches beyond its storage");
    const auto address = reinterpret_cast<std::uintptr_t>(tensor.const_data_ptr());
    require(address % tensor.element_size() == 0, "is not aligned");
    if (tensor.numel() <= kMostCopied) {
      tensor.contiguous().clone();
    }
  }
}

}  // namespace leaf::fuzz
