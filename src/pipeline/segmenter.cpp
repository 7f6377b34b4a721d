#include "leaf/pipeline/segmenter.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <functional>
#include <mutex>
#include <string_view>
#include <utility>

#include "leaf/core/cuda_graph.h"
#include "leaf/core/error.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/data/transforms.h"
#include "leaf/diffusion/sampler.h"
#include "leaf/models/autoencoder.h"
#include "leaf/models/unet.h"
#include "leaf/nn/layers.h"
#include "leaf/nn/module.h"
#include "leaf/pipeline/mask_codec.h"

namespace leaf {
namespace {

/// A number that identifies an image by its pixels: [3, R, R] in [0, 1], rounded to bytes.
std::uint64_t pixel_hash(const at::Tensor& image) {
  const at::Tensor bytes = (image * 255).round().to(at::kByte).contiguous().cpu();
  return fnv1a64(
      {static_cast<const char*>(bytes.const_data_ptr()), static_cast<std::size_t>(bytes.numel())});
}

/// Both inputs on the device and channels-last -> probability [N, 1, R, R] on the device.
at::Tensor run_networks(const Model& model, const diffusion::NoiseScheduler& scheduler,
                        const SegmenterOptions& options, const at::Tensor& images,
                        const at::Tensor& noise) {
  const AutocastGuard autocast(options.device, options.precision);
  const at::Tensor image_latent = model.latent_encoder->encode(images).to(at::kFloat);
  const auto denoise = [&](const at::Tensor& noisy, const at::Tensor& timestep) {
    return spread_not_finite(model.unet->forward(at::cat({image_latent, noisy}, 1), timestep));
  };
  const at::Tensor latent =
      diffusion::sample(scheduler, denoise, noise, options.num_inference_steps);
  return image_to_probability(model.autoencoder->decode(latent).to(at::kFloat));
}

}  // namespace

/// The recorded networks. Their result is overwritten by the next call: one thread at a time.
struct Segmenter::Recorded {
  explicit Recorded(std::function<Tensors(const Tensors&)> function)
      : networks(std::move(function)) {}

  at::Tensor call(const at::Tensor& images, const at::Tensor& noise) {
    const std::lock_guard lock(mutex);
    return networks({images, noise}).front().cpu();
  }

  std::mutex mutex;
  RecordedFunction networks;
};

Segmenter Segmenter::load(const std::filesystem::path& folder, const SegmenterOptions& options) {
  Model model = load_model(folder);
  prepare_for_inference(model, options);
  Segmenter segmenter(std::move(model), options);
  segmenter.record_calls();
  return segmenter;
}

Segmenter::Segmenter(Model model, const SegmenterOptions& options)
    : model_(std::move(model)),
      options_(options),
      scheduler_(model_.description.scheduler, options.device) {}

/// More steps than one read the schedule in between, which cannot be recorded.
void Segmenter::record_calls() {
  if (options_.device.is_cuda() && options_.num_inference_steps == 1) {
    recorded_ = std::make_shared<Recorded>(
        [model = model_, options = options_, scheduler = scheduler_](const Tensors& inputs) {
          return Tensors{run_networks(model, scheduler, options, inputs[0], inputs[1])};
        });
  }
}

at::Tensor Segmenter::starting_noise(const at::Tensor& images) const {
  const models::AutoencoderConfig& config = model_.description.autoencoder;
  const std::int64_t factor = models::downsampling(config);
  std::vector<at::Tensor> noise;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    noise.push_back(
        normal_tensor({config.latent_channels, images.size(2) / factor, images.size(3) / factor},
                      RandomStream(options_.seed, Purpose::kInference, pixel_hash(images[i]))));
  }
  return at::stack(noise);
}

at::Tensor Segmenter::probability(const at::Tensor& images) const {
  const c10::InferenceMode inference;
  return probability(images, starting_noise(images));
}

at::Tensor Segmenter::probability(const at::Tensor& images, const at::Tensor& noise) const {
  const c10::InferenceMode inference;
  const at::Tensor x =
      to_device(images, options_.device).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor start =
      to_device(noise, options_.device).contiguous(at::MemoryFormat::ChannelsLast);
  return recorded_ ? recorded_->call(x, start)
                   : run_networks(model_, scheduler_, options_, x, start).cpu();
}

Segmentation Segmenter::segment(const at::Tensor& rgb) const {
  const at::Tensor result = probability(prepare(rgb).unsqueeze(0))[0][0];
  require_finite(result, "the image");
  return finish(result, rgb.size(0), rgb.size(1));
}

at::Tensor Segmenter::prepare(const at::Tensor& rgb) const {
  return data::to_tensor(data::resize_image(rgb, model_.description.preprocessing.resolution));
}

Segmentation Segmenter::finish(const at::Tensor& probability, std::int64_t height,
                               std::int64_t width) const {
  const c10::InferenceMode inference;
  const bool same_size = probability.size(0) == height && probability.size(1) == width;
  Segmentation result;
  result.probability =
      same_size ? probability : data::resize_probability(probability, height, width);
  result.mask = foreground(result.probability).to(at::kByte) * 255;
  return result;
}

at::Tensor Segmenter::foreground(const at::Tensor& probability) const {
  return probability > model_.description.preprocessing.threshold;
}

void prepare_for_inference(Model& model, const SegmenterOptions& options) {
  const std::vector<torch::nn::Module*> parts{model.autoencoder.get(), model.latent_encoder.get(),
                                              model.unet.get()};
  const bool own_kernels = options.device.is_cpu() && options.precision == Precision::kFloat32;
  for (torch::nn::Module* part : parts) {
    nn::freeze(*part);
    part->to(options.device);
    if (own_kernels) {
      nn::pack_convolutions(*part);
    } else {
      nn::to_channels_last(*part);
      if (options.device.is_cuda() && options.precision == Precision::kBFloat16) {
        nn::round_weights(*part, at::kBFloat16);
      }
    }
  }
  if (own_kernels) {
    model.unet->fold_timesteps(
        diffusion::inference_timesteps(model.description.scheduler, options.num_inference_steps));
  }
}

}  // namespace leaf
