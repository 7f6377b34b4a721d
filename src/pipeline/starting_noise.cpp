#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/look_alike.h"
#include "leaf/core/error.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/segmenter.h"
#include "models/autoencoder.h"

namespace leaf {
namespace {

/// A number that identifies an image by its name. Pixels would not do: one grey level, which two
/// JPEG decoders may differ in, would lead to an unrelated draw.
std::uint64_t name_hash(std::string_view name) {
  return fnv1a64(look_alike_key(name.substr(name.rfind('/') + 1)));
}

}  // namespace

at::Tensor Segmenter::starting_noise(const at::Tensor& images, const ImageNames& names,
                                     std::int64_t sample) const {
  check_images(images);
  const auto count = static_cast<std::size_t>(images.size(0));
  if (!names.empty() && names.size() != count) {
    throw DataError(str("names: ", names.size(), " for ", count, " images; give one for each"));
  }
  const c10::InferenceMode inference;
  const models::AutoencoderConfig& config = model_.description.autoencoder;
  const std::int64_t factor = models::downsampling(config);
  const std::vector<std::int64_t> shape{config.latent_channels, images.size(2) / factor,
                                        images.size(3) / factor};
  std::vector<at::Tensor> noise;
  for (std::size_t i = 0; i < count; ++i) {
    const RandomStream stream(options_.seed, Purpose::kInference,
                              name_hash(names.empty() ? "" : names[i]),
                              static_cast<std::uint64_t>(sample));
    noise.push_back(options_.noise == StartingNoise::kZeros ? at::zeros(shape, at::kFloat)
                                                            : normal_tensor(shape, stream));
  }
  return at::stack(noise);
}

}  // namespace leaf
