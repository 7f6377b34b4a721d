#include "leaf_bench/session.h"

#include <ATen/ATen.h>

#include <chrono>
#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"

namespace leaf::apps {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Segmenter timed_load(const std::filesystem::path& model, const SegmenterOptions& options,
                     double& seconds) {
  const auto start = Clock::now();
  Segmenter segmenter = Segmenter::load(find_model_folder(model), options);
  seconds = milliseconds_since(start) / 1000;
  return segmenter;
}

std::vector<std::int64_t> image_shape(const ModelDescription& model, std::int64_t batch) {
  const std::int64_t side = model.preprocessing.resolution;
  return {batch, 3, side, side};
}

std::vector<std::int64_t> noise_shape(const ModelDescription& model, std::int64_t batch) {
  const std::int64_t side =
      model.preprocessing.resolution / models::downsampling(model.autoencoder);
  return {batch, model.autoencoder.latent_channels, side, side};
}

at::Tensor checked(const io::TensorMap& tensors, const std::string& name,
                   const std::vector<std::int64_t>& shape, const std::filesystem::path& path) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    throw DataError(leaf::str("'", path.string(), "' has no tensor '", name,
                              "'; --inputs needs image and noise"));
  }
  const at::Tensor& tensor = found->second;
  if (tensor.scalar_type() != at::kFloat || tensor.sizes() != at::IntArrayRef(shape)) {
    throw DataError(leaf::str("'", name, "' in '", path.string(), "' is ", tensor.scalar_type(),
                              " ", tensor.sizes(), "; this model needs Float ",
                              at::IntArrayRef(shape)));
  }
  return tensor;
}

}  // namespace

BenchInputs random_inputs(const ModelDescription& model, std::int64_t batch) {
  const auto normal = [](const std::vector<std::int64_t>& shape, std::uint64_t number) {
    return normal_tensor(shape, RandomStream(0, Purpose::kInference, number));
  };
  return {normal(image_shape(model, batch), 0).sigmoid(), normal(noise_shape(model, batch), 1)};
}

BenchInputs read_inputs(const std::filesystem::path& path, const ModelDescription& model) {
  const io::TensorMap tensors = io::read_safetensors(path);
  const auto image = tensors.find("image");
  const bool counts =
      image != tensors.end() && image->second.dim() > 0 && image->second.size(0) > 0;
  const std::int64_t batch = counts ? image->second.size(0) : 1;
  return {checked(tensors, "image", image_shape(model, batch), path),
          checked(tensors, "noise", noise_shape(model, batch), path)};
}

BenchSession::BenchSession(const std::filesystem::path& model, const SegmenterOptions& options,
                           const std::filesystem::path& inputs, std::int64_t batch)
    : segmenter_(timed_load(model, options, load_seconds_)) {
  const ModelDescription& description = segmenter_.model().description;
  inputs_ = inputs.empty() ? random_inputs(description, batch) : read_inputs(inputs, description);
  first_milliseconds_ = run();
}

double BenchSession::run() {
  const auto start = Clock::now();
  probability_ = segmenter_.probability(inputs_.images, inputs_.noise);  // on the CPU: it is done
  return milliseconds_since(start);
}

}  // namespace leaf::apps
