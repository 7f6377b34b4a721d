#pragma once

#include "leaf/core/enum_names.h"

namespace leaf {

/// Numeric precision of the networks' arithmetic. Weights and results stay float32. kFloat16 is for
/// inference alone.
enum class Precision { kFloat32, kBFloat16, kFloat16 };
inline EnumNames<Precision> enum_names(Precision /*tag*/) {
  return {
      {Precision::kFloat32, "fp32"}, {Precision::kBFloat16, "bf16"}, {Precision::kFloat16, "fp16"}};
}

}  // namespace leaf
