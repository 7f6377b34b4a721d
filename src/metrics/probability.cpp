#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/curves.h"
#include "leaf/metrics/scores.h"
#include "pixels.h"

namespace leaf::metrics {
namespace {

/// The pixels from the most to the least probable: the bits of a float that is not negative are
/// ordered as the float is; the last bit is the truth.
class Ranking {
 public:
  Ranking(const at::Tensor& probability, const Pixels& truth) : keys_(truth.values.size()) {
    const auto* p = probability.const_data_ptr<float>();
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      keys_[i] = std::uint64_t{std::bit_cast<std::uint32_t>(p[i] + 0.0F)} << 1 | truth.values[i];
    }
    std::sort(keys_.begin(), keys_.end(), std::greater<>());
  }

  /// Calls step(targets, others) for every distinct probability, from high to low.
  template <typename Step>
  void walk(const Step& step) const {
    for (std::size_t i = 0; i < keys_.size();) {
      const std::uint64_t probability = keys_[i] >> 1;
      double targets = 0;
      double others = 0;
      for (; i < keys_.size() && keys_[i] >> 1 == probability; ++i) {
        ++((keys_[i] & 1) != 0 ? targets : others);
      }
      step(targets, others);
    }
  }

 private:
  std::vector<std::uint64_t> keys_;
};

/// Area under the receiver's curve (ties count half) and average precision (no interpolation).
void add_ranking(ProbabilityScores& scores, const Ranking& ranking) {
  double targets = 0;
  double others = 0;
  double above = 0;      // pairs of a target above another pixel
  double precision = 0;  // summed over targets
  ranking.walk([&](double more_targets, double more_others) {
    above += more_others * (targets + more_targets / 2);
    targets += more_targets;
    others += more_others;
    precision += more_targets * targets / (targets + others);
  });
  if (targets > 0) {
    scores.average_precision = precision / targets;
    scores.auroc = others > 0 ? above / (targets * others) : kUndefined;
  }
}

double brier(const at::Tensor& probability, const Pixels& truth) {
  const auto* p = probability.const_data_ptr<float>();
  double total = 0;
  for (std::size_t i = 0; i < truth.values.size(); ++i) {
    const double off = static_cast<double>(p[i]) - truth.values[i];
    total += off * off;
  }
  return total / static_cast<double>(truth.values.size());
}

}  // namespace

ProbabilityScores probability_scores(const at::Tensor& probability, const at::Tensor& truth) {
  if (probability.sizes() != truth.sizes()) {
    throw DataError(leaf::str("cannot score probabilities of shape ", probability.sizes(),
                              " against a truth of shape ", truth.sizes(), "; they must be equal"));
  }
  const at::Tensor dense = probability.to(at::kFloat).contiguous();
  const Pixels target = to_pixels(truth);
  ProbabilityScores scores;
  add_ranking(scores, Ranking(dense, target));
  Calibration calibration;
  calibration.add(dense, truth);
  scores.ece = calibration.error();
  scores.brier = brier(dense, target);
  return scores;
}

}  // namespace leaf::metrics
