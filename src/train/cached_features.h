#pragma once

#include <functional>
#include <memory>

#include "feature_store.h"

namespace leaf {

/// Gives what the frozen networks make of a batch: from a store where it is there. Each sample is
/// computed by itself, so that its values depend neither on the batch nor on what is kept: with and
/// without a store they are the same to the bit.
class CachedFeatures {
 public:
  /// image [1, 3, R, R] in [0, 1] and mask [1, 1, R, R] -> features of one sample ([1, ...]), on
  /// any device.
  using Networks = std::function<FrozenFeatures(const at::Tensor& image, const at::Tensor& mask)>;

  /// `store` may be null.
  CachedFeatures(Networks networks, std::unique_ptr<FeatureStore> store);

  /// images float32 [N, 3, R, R] in [0, 1], masks [N, 1, R, R], on the CPU.
  FrozenFeatures of(const at::Tensor& images, const at::Tensor& masks);

 private:
  /// Of one sample, [1, ...] -> [...].
  FrozenFeatures computed(const at::Tensor& image, const at::Tensor& mask) const;
  FrozenFeatures kept_or_computed(const at::Tensor& image, const at::Tensor& mask);

  Networks networks_;
  std::unique_ptr<FeatureStore> store_;
  bool proven_ = false;  ///< the first that the store gave was what the networks give
};

}  // namespace leaf
