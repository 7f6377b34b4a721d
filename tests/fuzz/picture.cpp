#include "leaf/data/picture.h"

#include <ATen/ATen.h>

#include <cstdlib>

#include "leaf/core/error.h"
#include "targets.h"

void leaf::fuzz::picture(std::string_view bytes) {
  constexpr std::int64_t kPixels = 1 << 18;
  try {
    const data::Picture picture = data::decode_picture(bytes, "input", {.max_pixels = kPixels});
    const at::Tensor& samples = picture.samples;
    const std::int64_t colours = samples.size(2) - (picture.alpha ? 1 : 0);
    const bool palette_fits = picture.palette.empty() || samples.size(2) == 1;
    const int orientation = picture.geometry.orientation;
    if (samples.size(0) * samples.size(1) > kPixels || (colours != 1 && colours != 3) ||
        !palette_fits || orientation < 1 || orientation > 8 || picture.bits < 1 ||
        picture.bits > 32 || picture.pages < 1) {
      std::abort();
    }
  } catch (const DataError&) {
  }
}
