#pragma once

#include "leaf/core/enum_names.h"

namespace leaf {

/// Numeric precision of the networks' arithmetic. Weights and results stay float32.
enum class Precision { kFloat32, kBFloat16 };
inline EnumNames<Precision> enum_names(Precision /*tag*/) {
  return {{Precision::kFloat32, "fp32"}, {Precision::kBFloat16, "bf16"}};
}

}  // namespace leaf
