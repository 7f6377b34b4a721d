#pragma once

#include "leaf/core/enum_names.h"

namespace leaf::models {

/// How the first filters of a U-Net for one latent become those for two: kHalved repeats and halves
/// them (the paper), kZeros leaves the image's at zero (SDSeg).
enum class InputWidening { kHalved, kZeros };
inline EnumNames<InputWidening> enum_names(InputWidening /*tag*/) {
  return {{InputWidening::kHalved, "halved"}, {InputWidening::kZeros, "zeros"}};
}

}  // namespace leaf::models
