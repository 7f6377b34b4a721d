#include "leaf/data/picture.h"

#include <ATen/ATen.h>

#include <cstdlib>

#include "leaf/core/error.h"
#include "leaf/data/mask_values.h"
#include "targets.h"

namespace leaf::fuzz {
namespace {

constexpr std::int64_t kPixels = 1 << 18;

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

void check(const data::Picture& picture) {
  const at::Tensor& samples = picture.samples;
  const std::int64_t colours = samples.size(2) - (picture.alpha ? 1 : 0);
  const int orientation = picture.geometry.orientation;
  require(samples.size(0) * samples.size(1) <= kPixels && (colours == 1 || colours == 3));
  require(picture.palette.empty() || samples.size(2) == 1);
  require(orientation >= 1 && orientation <= 8 && picture.bits >= 1 && picture.bits <= 32 &&
          picture.pages >= 1);
}

/// Each reading of a mask: by the threshold, by rule, by the values of classes.
void read_as_mask(const data::Picture& picture) {
  const auto read = [&](const data::MaskOptions& options) {
    try {
      const data::Mask mask = data::interpret_mask(picture, "input", options);
      require(mask.labels.scalar_type() == at::kByte && mask.labels.dim() == 2 &&
              mask.labels.size(0) == picture.samples.size(0) &&
              mask.labels.size(1) == picture.samples.size(1));
    } catch (const DataError&) {
    }
  };
  read({});
  data::MaskOptions turned;
  turned.rule = data::MaskRule::kZeroIsTarget;
  turned.ignore_value = 255;
  read(turned);
  for (const auto& classes : {data::parse_classes({"background=0", "a=1+255", "b=2", "ignore=3"}),
                              data::parse_classes({"background=#000000", "a=#ff0000"})}) {
    data::MaskOptions options;
    options.classes = classes;
    read(options);
  }
}

}  // namespace

void picture(std::string_view bytes) {
  try {
    const data::Picture decoded = data::decode_picture(bytes, "input", {.max_pixels = kPixels});
    check(decoded);
    read_as_mask(decoded);
  } catch (const DataError&) {
  }
}

}  // namespace leaf::fuzz
