#include "conv_choice.h"

#include <array>
#include <limits>

namespace leaf::ops::cpu {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

bool possible(ConvForm form, const ConvSize& size) {
  if (form == ConvForm::kDirect) {
    return !size.upsample;
  }
  return size.kernel == 3 && size.stride == 1 && size.padding == 1 && size.pad_end == 0 &&
         (form == ConvForm::kUpsample) == size.upsample;
}

/// Multiplications per pair of channels, plus what fetching (and packing) the filters costs in
/// multiplications: memory delivers a float in the time of about 20, transforming takes twice that.
double cost(ConvForm form, const ConvSize& size, Packing packing) {
  const FormShape shape = form_shape(form);
  const auto tiles = [&](std::int64_t length) {
    const std::int64_t positions =
        form == ConvForm::kUpsample
            ? length + 1
            : (length + 2 * size.padding + size.pad_end - size.kernel) / size.stride + 1;
    return divide_up(positions, shape.outputs);
  };
  const std::int64_t under_kernel = form == ConvForm::kDirect ? size.kernel * size.kernel : 1;
  const std::int64_t filters = shape.planes * shape.phases * under_kernel;
  const std::int64_t rows = size.images * tiles(size.height) * tiles(size.width);
  const double per_filter = packing == Packing::kOnce ? 20 : 60;
  return static_cast<double>(filters) * (static_cast<double>(rows) + per_filter);
}

}  // namespace

ConvForm choose_form(const ConvSize& size, Packing packing) {
  ConvForm best = size.upsample ? ConvForm::kUpsample : ConvForm::kDirect;
  double least = std::numeric_limits<double>::infinity();
  for (const ConvForm form :
       {ConvForm::kDirect, ConvForm::kF4x4, ConvForm::kF6x6, ConvForm::kUpsample}) {
    if (possible(form, size) && cost(form, size, packing) < least) {
      best = form;
      least = cost(form, size, packing);
    }
  }
  return best;
}

}  // namespace leaf::ops::cpu
