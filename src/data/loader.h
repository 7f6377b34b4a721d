#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "leaf/data/dataset.h"

namespace leaf::data {

struct LoaderOptions {
  std::int64_t batch_size = 4;
  std::uint64_t seed = 1337;
  /// Probabilities of mirroring a sample left-right and top-bottom.
  double horizontal_flip = 0.5;
  double vertical_flip = 0.5;
  /// What else changes a sample at random, after that.
  Augmentation augment = {};
  /// Threads that prepare batches ahead; 0 prepares them in next().
  std::int64_t num_workers = 2;
  /// Steps from one batch to the next: those between are other processes'.
  std::int64_t stride = 1;
};

/// N samples for one training step.
struct Batch {
  at::Tensor images;  ///< float [N,3,R,R] in [0,1]
  at::Tensor masks;   ///< float [N,1,R,R], labels
  std::vector<std::string> names;
  std::vector<std::size_t> indices;  ///< of the samples in the data set
  /// Mirrored in which way: 1 left-right, 2 top-bottom, 3 both, 0 not.
  std::vector<int> flips;
  std::int64_t step = 0;
};

/// Batches for training without end. The batch of a step is a function of seed and step alone:
/// epoch e visits all samples in an order drawn from (seed, kShuffle, e), an incomplete last batch
/// is dropped, and the i-th sample of step k is mirrored by a draw from (seed, kFlip, k, i) and
/// augmented by one from (seed, kAugment, k, i). So a run that goes on at step k needs no state,
/// and the number of workers changes nothing.
class Loader {
 public:
  /// `dataset` must outlive the loader. The first call of next() gives the batch of `first_step`.
  /// Throws DataError when the data set holds fewer samples than a batch.
  Loader(const Dataset& dataset, const LoaderOptions& options, std::int64_t first_step = 0);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next step's batch. An exception of a worker appears here, at the step that it belongs to.
  Batch next();

  std::int64_t batches_per_epoch() const;

 private:
  struct Workers;
  const Dataset& dataset_;
  LoaderOptions options_;
  std::int64_t step_;
  std::unique_ptr<Workers> workers_;
};

}  // namespace leaf::data
