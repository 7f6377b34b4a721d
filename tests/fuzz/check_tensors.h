#pragma once

#include "leaf/io/tensor_map.h"

namespace leaf::fuzz {

/// Ends the program unless every tensor lies inside its storage and can be read.
void check_tensors(const io::TensorMap& tensors);

}  // namespace leaf::fuzz
