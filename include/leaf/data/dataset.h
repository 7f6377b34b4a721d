#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "leaf/data/data_config.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_census.h"
#include "leaf/data/mask_values.h"
#include "leaf/data/pair.h"

namespace leaf::data {

/// A pair at its own size, or that of its crop, as a viewer shows it.
struct LoadedPair {
  LoadedImage image;
  at::Tensor labels;   ///< uint8 [H,W], 0 on the background, else the class (MaskClasses)
  at::Tensor ignored;  ///< uint8 [H,W], 1 where nothing is scored; undefined without such pixels
  std::vector<MaskRemark> remarks;  ///< what is odd about the mask
};

/// How the masks of a data set are read.
MaskOptions mask_options(MaskRule rule, const DataConfig& config);

/// Reads image and mask, brings the mask into the displayed orientation of its image
/// (config.mask_orientation) and crops both (config.crop). Throws DataError for unreadable files,
/// for sizes that differ, for a value that no class has, and for a label map without disc that is
/// to be cropped.
LoadedPair load_pair(const Pair& pair, const DataConfig& config);

/// The same as bytes, resized to the model's square.
struct DecodedSample {
  at::Tensor image;    ///< uint8 [R,R,3]
  at::Tensor mask;     ///< uint8 [R,R], labels
  at::Tensor ignored;  ///< uint8 [R,R], 1 where nothing is scored; undefined without such pixels
  std::int64_t height = 0;
  std::int64_t width = 0;
};

/// What a model is trained and scored on.
struct Sample {
  at::Tensor image;    ///< float [3,R,R] in [0,1]
  at::Tensor mask;     ///< float [1,R,R], labels
  at::Tensor ignored;  ///< uint8 [R,R], 1 where nothing is scored; undefined without such pixels
  std::string name;
  std::int64_t height = 0;  ///< of the image file or its crop, orientation applied
  std::int64_t width = 0;
};

/// A sample and the pair that it was made from.
struct FullSample {
  Sample sample;
  LoadedPair pair;
};

/// The pairs of one part, with a cache of decoded samples. Safe to use from several threads.
class Dataset {
 public:
  /// Reads nothing yet. Uses resolution, intensity, slice_axis, cache_mb, crop and what concerns
  /// masks of `config`.
  Dataset(std::vector<Pair> pairs, DataConfig config);
  ~Dataset();
  Dataset(Dataset&&) noexcept;
  Dataset& operator=(Dataset&&) noexcept;

  std::size_t size() const { return pairs_.size(); }
  const std::vector<Pair>& pairs() const { return pairs_; }
  const DataConfig& config() const { return config_; }

  /// From the cache when it is there. The tensors are shared: do not write to them.
  DecodedSample decoded(std::size_t index) const;
  Sample load(std::size_t index) const;
  /// The same sample with its pair, read from the files once.
  FullSample load_full(std::size_t index) const;

  /// What is odd about the masks that were read so far.
  MaskCensus& masks() const;

 private:
  struct Cache;
  LoadedPair read(std::size_t index) const;
  DecodedSample decoded_with_neighbours(std::size_t index) const;

  std::vector<Pair> pairs_;
  DataConfig config_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace leaf::data
