#pragma once

#include <vector>

#include "leaf/metrics/scores.h"
#include "pixels.h"

namespace leaf::metrics {

/// The squared Euclidean distance of every pixel to the nearest pixel of `sites`, in the unit of
/// the spacing; infinite where there are none. Exact for any spacing, in double precision
/// (Felzenszwalb and Huttenlocher's two passes); OpenCV's transform knows square pixels alone.
std::vector<double> squared_distances(const Pixels& sites, const Spacing& spacing);

}  // namespace leaf::metrics
