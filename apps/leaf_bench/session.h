#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>

#include "leaf/pipeline/segmenter.h"

namespace leaf::apps {

/// What the network is timed on.
struct BenchInputs {
  at::Tensor images;  ///< float32 [N, 3, R, R] in [0, 1]
  at::Tensor noise;   ///< float32 [N, L, r, r]
};

/// The same random pictures and noise every time.
BenchInputs random_inputs(const ModelDescription& model, std::int64_t batch);

/// `image` and `noise` of a safetensors file; throws DataError when they do not fit the model.
BenchInputs read_inputs(const std::filesystem::path& path, const ModelDescription& model);

/// A model, loaded and run once on its inputs: the first call lays the filters out.
class BenchSession {
 public:
  /// Random inputs where `inputs` is empty.
  BenchSession(const std::filesystem::path& model, const SegmenterOptions& options,
               const std::filesystem::path& inputs, std::int64_t batch);

  /// One more call; milliseconds in all.
  double run();

  const Segmenter& segmenter() const { return segmenter_; }
  double load_seconds() const { return load_seconds_; }
  double first_milliseconds() const { return first_milliseconds_; }
  std::int64_t batch() const { return inputs_.images.size(0); }
  std::int64_t resolution() const { return inputs_.images.size(2); }
  /// Of the last call, [N, 1, R, R].
  const at::Tensor& probability() const { return probability_; }

 private:
  double load_seconds_ = 0;
  Segmenter segmenter_;
  BenchInputs inputs_;
  at::Tensor probability_;
  double first_milliseconds_ = 0;
};

}  // namespace leaf::apps
