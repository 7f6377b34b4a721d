#pragma once

#include <string>

#include "leaf/data/mask_values.h"

namespace leaf::data {

/// Makes the labels of a mask, whose values are there, and the pixels to be ignored, by the values
/// of its classes. Throws DataError, naming the first pixel, for a value that none of them has, and
/// for colours that are not of 8 bits.
void add_labels(Mask& mask, const Picture& picture, const std::string& name,
                const MaskOptions& options);

}  // namespace leaf::data
