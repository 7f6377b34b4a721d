#pragma once

#include <ATen/core/TensorBody.h>

#include <map>
#include <string>

namespace leaf::io {

/// Tensors by name.
using TensorMap = std::map<std::string, at::Tensor>;

}  // namespace leaf::io
