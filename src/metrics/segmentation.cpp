#include "leaf/metrics/segmentation.h"

#include <ATen/ATen.h>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::metrics {
namespace {

double ratio(const Confusion& c, std::int64_t part, std::int64_t whole) {
  if (c.both_empty()) {
    return 1.0;
  }
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Confusion confusion(const at::Tensor& prediction, const at::Tensor& truth) {
  if (prediction.sizes() != truth.sizes()) {
    throw DataError(leaf::str("cannot score a prediction of shape ", prediction.sizes(),
                              " against a truth of shape ", truth.sizes(), "; they must be equal"));
  }
  const at::Tensor predicted = prediction.ne(0);
  const at::Tensor target = truth.ne(0);
  const auto count = [](const at::Tensor& where) { return where.sum().item<std::int64_t>(); };
  Confusion c;
  c.tp = count(predicted.logical_and(target));
  c.fp = count(predicted) - c.tp;
  c.fn = count(target) - c.tp;
  c.tn = prediction.numel() - c.tp - c.fp - c.fn;
  return c;
}

double dice(const Confusion& c) { return ratio(c, 2 * c.tp, 2 * c.tp + c.fp + c.fn); }
double iou(const Confusion& c) { return ratio(c, c.tp, c.tp + c.fp + c.fn); }
double precision(const Confusion& c) { return ratio(c, c.tp, c.tp + c.fp); }
double recall(const Confusion& c) { return ratio(c, c.tp, c.tp + c.fn); }

ImageScore score_image(const std::string& name, const Confusion& c) {
  return {name, c, dice(c), iou(c), precision(c), recall(c), c.both_empty(), c.one_sided_empty()};
}

}  // namespace leaf::metrics
