#pragma once

#include <vector>

#include "leaf/data/mask_values.h"

namespace leaf::data {

/// What is to be said about a mask whose target is known; the remarks lack the file's name.
std::vector<MaskRemark> remarks_on(const Mask& mask, const Picture& picture,
                                   const MaskOptions& options);

}  // namespace leaf::data
