#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "leaf/data/data_config.h"
#include "leaf/data/image_io.h"
#include "leaf/data/pair.h"

namespace leaf::data {

/// A pair at its own size, as a viewer shows it.
struct LoadedPair {
  LoadedImage image;
  at::Tensor target;  ///< uint8 [H,W], 1 on the target and 0 elsewhere
  /// What is odd about the mask's values and what to do about it; empty when nothing is.
  std::string mask_warning;
};

/// Reads image and mask. The mask belongs to the stored pixels and is turned with the photograph,
/// unless only the turned size fits. Uses intensity and mask_threshold of `config`. DataError for
/// unreadable files and for sizes that differ.
LoadedPair load_pair(const Pair& pair, const DataConfig& config);

/// The same as bytes, resized to the model's square.
struct DecodedSample {
  at::Tensor image;  ///< uint8 [R,R,3]
  at::Tensor mask;   ///< uint8 [R,R], 0 or 1
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::string mask_warning;
};

/// What a model is trained and scored on.
struct Sample {
  at::Tensor image;  ///< float [3,R,R] in [0,1]
  at::Tensor mask;   ///< float [1,R,R], 0 or 1
  std::string name;
  std::int64_t height = 0;  ///< of the image file, orientation applied
  std::int64_t width = 0;
};

/// The pairs of one part, with a cache of decoded samples. Safe to use from several threads.
class Dataset {
 public:
  /// Reads nothing yet. Uses resolution, intensity, mask_threshold and cache_mb of `config`.
  Dataset(std::vector<Pair> pairs, DataConfig config);
  ~Dataset();
  Dataset(Dataset&&) noexcept;
  Dataset& operator=(Dataset&&) noexcept;

  std::size_t size() const { return pairs_.size(); }
  const std::vector<Pair>& pairs() const { return pairs_; }
  const DataConfig& config() const { return config_; }

  /// From the cache when it is there. The tensors are shared: do not write to them. The first odd
  /// mask is reported through log::warn, those after it are not.
  DecodedSample decoded(std::size_t index) const;
  Sample load(std::size_t index) const;

 private:
  struct Cache;
  std::vector<Pair> pairs_;
  DataConfig config_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace leaf::data
