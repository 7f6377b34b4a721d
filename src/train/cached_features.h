#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "feature_store.h"

namespace leaf {

/// Gives what the frozen networks make of a batch: from a store where it is there. What is missing
/// is computed in groups of one fixed size, the last one filled up with repeats: at equal shapes a
/// sample's values depend neither on its place nor on its neighbours, so that with and without a
/// store they are the same to the bit.
class CachedFeatures {
 public:
  /// images [G, 3, R, R] in [0, 1] and masks [G, 1, R, R] on the CPU -> their features, on any
  /// device.
  using Networks = std::function<Features(const at::Tensor& images, const at::Tensor& masks)>;

  /// `store` may be null. `group` is G, how many samples the networks get at a time.
  CachedFeatures(Networks networks, std::unique_ptr<FeatureStore> store, std::int64_t group);

  /// G for batches of that size: most of what a large batch gains, and little to fill up.
  static std::int64_t group_size(std::int64_t batch_size);

  /// Whether what is computed next may be kept.
  bool keeps() const { return store_ && !full_; }

  /// images float32 [N, 3, R, R] in [0, 1], masks [N, 1, R, R], on the CPU.
  /// Defined are those that all samples have.
  Features of(const at::Tensor& images, const at::Tensor& masks);

 private:
  struct Row;
  void compute(const at::Tensor& images, const at::Tensor& masks, std::vector<Row>& rows) const;
  void keep(const std::vector<Row>& rows);
  static Features stacked(const std::vector<Row>& rows);

  Networks networks_;
  std::unique_ptr<FeatureStore> store_;
  std::int64_t group_;
  bool full_ = false;    ///< nothing more need be copied for the store
  bool proven_ = false;  ///< the first that the store gave was what the networks give
};

}  // namespace leaf
