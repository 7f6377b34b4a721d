#include <ATen/ATen.h>

#include <cstdlib>
#include <string>

#include "leaf/core/error.h"
#include "leaf/data/image_io.h"
#include "leaf/data/picture.h"
#include "targets.h"

/// `bytes` are what follows the preamble and "DICM".
void leaf::fuzz::dicom(std::string_view bytes) {
  constexpr std::int64_t kPixels = 1 << 18;
  std::string file(128, '\0');
  file.append("DICM").append(bytes);
  try {
    const data::Picture picture = data::decode_picture(file, "input", {.max_pixels = kPixels});
    const at::Tensor& samples = picture.samples;
    const bool palette_fits = picture.palette.empty() || samples.size(2) == 1;
    const bool shown_fits = !picture.shown || !picture.shown->levels.empty();
    if (samples.size(0) * samples.size(1) > kPixels ||
        (samples.size(2) != 1 && samples.size(2) != 3) || !palette_fits || !shown_fits ||
        picture.bits < 1 || picture.bits > 32 || picture.pages < 1) {
      std::abort();
    }
    data::decode_image(file, "input", {.intensity = {}, .limits = {.max_pixels = kPixels}});
  } catch (const DataError&) {
  }
}
