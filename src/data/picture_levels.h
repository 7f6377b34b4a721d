#pragma once

#include <string>

#include "leaf/data/image_io.h"
#include "leaf/data/intensity.h"
#include "leaf/data/picture.h"
#include "leaf/data/volume.h"

namespace leaf::data {

/// The smallest and the largest value of the colours. Throws DataError, naming the image `name`,
/// when one is not finite.
ValueSpan value_span(const Picture& picture, const std::string& name);

/// A picture as a viewer shows it, its values bytes as `intensity` says; errors as of read_image().
LoadedImage displayed_image(const Picture& picture, const Intensity& intensity,
                            const std::string& name);

}  // namespace leaf::data
