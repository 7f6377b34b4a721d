#include "leaf/pipeline/segmenter.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "core/cuda_graph.h"
#include "data/transforms.h"
#include "diffusion/sampler.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "models/autoencoder.h"
#include "models/unet.h"
#include "nn/layers.h"
#include "nn/module.h"
#include "ops/backend.h"
#include "pipeline/mask_codec.h"

namespace leaf {
namespace {

/// The steps that are asked for, else those that the model states.
SegmenterOptions resolved(SegmenterOptions options, const Preprocessing& preprocessing) {
  if (options.num_inference_steps == 0) {
    options.num_inference_steps = std::max<std::int64_t>(1, preprocessing.num_inference_steps);
  }
  return options;
}

bool has_own_kernels(const SegmenterOptions& options) {
  return ops::backend_for(options.device, type_of(options.precision)) == ops::Backend::kCpu;
}

/// Throws DataError unless the tensor is of the type and on the CPU or `device`. `expected`: its
/// shape.
void check_tensor(const at::Tensor& tensor, at::ScalarType type, c10::Device device,
                  const char* name, const std::string& expected) {
  if (!tensor.defined()) {
    throw DataError(str(name, ": undefined; expected ", expected));
  }
  const bool known_device = tensor.device().is_cpu() || tensor.device().type() == device.type();
  if (tensor.scalar_type() != type || !known_device) {
    throw DataError(leaf::str(name, ": ", tensor.scalar_type(), " ", tensor.sizes(), " on ",
                              tensor.device(), "; expected ", type, " ", expected, " on cpu or ",
                              device));
  }
}

void check_shape(bool fits, const at::Tensor& tensor, const char* name,
                 const std::string& expected) {
  if (!fits) {
    throw DataError(leaf::str(name, ": the shape is ", tensor.sizes(), "; expected ", expected));
  }
}

void check_rgb(const at::Tensor& rgb) {
  const std::string expected = "[H, W, 3]";
  check_tensor(rgb, at::kByte, c10::kCPU, "rgb", expected);
  check_shape(rgb.dim() == 3 && rgb.size(2) == 3 && rgb.numel() > 0, rgb, "rgb", expected);
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

  /// The next call's kernels are queued behind the copy, so that the result may be overwritten.
  PendingProbability begin(const at::Tensor& images, const at::Tensor& noise) {
    const std::lock_guard lock(mutex);
    const at::Tensor result = networks({images, noise}).front();
    const at::Tensor copy =
        at::empty(result.sizes(), at::TensorOptions(result.scalar_type()).pinned_memory(true));
    copy.copy_(result, /*non_blocking=*/true);
    const c10::Device device = result.device();
    const auto done = std::make_shared<c10::Event>(device.type());
    done->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
    return [copy, done] {
      done->synchronize();
      return copy;
    };
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
      options_(resolved(options, model_.description.preprocessing)),
      scheduler_(model_.description.scheduler, options.device) {
  diffusion::inference_timesteps(scheduler_.config(), options_.num_inference_steps);
  if (model_.description.preprocessing.last_timestep_alone && options_.num_inference_steps > 1) {
    throw ConfigError(str("the model was trained at the last timestep alone, for one step; ",
                          options_.num_inference_steps, " steps need a model of all timesteps"));
  }
}

/// More steps than one read the schedule in between, which cannot be recorded.
void Segmenter::record_calls() {
  if (options_.device.is_cuda() && options_.num_inference_steps == 1) {
    recorded_ = std::make_shared<Recorded>([plain = *this](const Tensors& inputs) {
      return Tensors{plain.decode_on_device(plain.sample(plain.encode(inputs[0]), inputs[1]))};
    });
  }
}

void Segmenter::check_images(const at::Tensor& images) const {
  const ModelDescription& d = model_.description;
  // The U-Net halves the latent once between two of its levels.
  const std::int64_t multiple = models::downsampling(d.autoencoder)
                                << (d.unet.channel_mult.size() - 1);
  const std::string expected = str("[N, 3, H, W], H and W multiples of ", multiple);
  check_tensor(images, at::kFloat, options_.device, "images", expected);
  check_shape(images.dim() == 4 && images.size(0) > 0 && images.size(1) == 3 &&
                  images.size(2) > 0 && images.size(3) > 0 && images.size(2) % multiple == 0 &&
                  images.size(3) % multiple == 0,
              images, "images", expected);
}

void Segmenter::check_latent(const at::Tensor& latent, const char* name) const {
  const std::int64_t channels = model_.description.autoencoder.latent_channels;
  const std::int64_t multiple = std::int64_t{1}
                                << (model_.description.unet.channel_mult.size() - 1);
  const std::string expected = str("[N, ", channels, ", h, w], h and w multiples of ", multiple);
  check_tensor(latent, at::kFloat, options_.device, name, expected);
  check_shape(latent.dim() == 4 && latent.size(1) == channels && latent.numel() > 0 &&
                  latent.size(2) % multiple == 0 && latent.size(3) % multiple == 0,
              latent, name, expected);
}

at::Tensor Segmenter::encode(const at::Tensor& images) const {
  check_images(images);
  const c10::InferenceMode inference;
  const AutocastGuard autocast(options_.device, options_.precision);
  return model_.latent_encoder->encode(placed(images)).to(at::kFloat);
}

at::Tensor Segmenter::sample(const at::Tensor& image_latent, const at::Tensor& noise) const {
  check_latent(image_latent, "image latent");
  check_latent(noise, "noise");
  check_shape(noise.sizes() == image_latent.sizes(), noise, "noise",
              leaf::str("that of the image latent, ", image_latent.sizes()));
  const c10::InferenceMode inference;
  const AutocastGuard autocast(options_.device, options_.precision);
  const at::Tensor condition = image_latent.to(options_.device);
  const auto denoise = [&](const at::Tensor& noisy, const at::Tensor& timestep) {
    return spread_not_finite(model_.unet->forward(at::cat({condition, noisy}, 1), timestep));
  };
  return diffusion::sample(scheduler_, denoise, placed(noise), options_.num_inference_steps);
}

at::Tensor Segmenter::decode(const at::Tensor& latent) const {
  return decode_on_device(latent).cpu();
}

at::Tensor Segmenter::decode_on_device(const at::Tensor& latent) const {
  check_latent(latent, "latent");
  const c10::InferenceMode inference;
  const AutocastGuard autocast(options_.device, options_.precision);
  const at::Tensor z = latent.to(options_.device);
  return MaskCodec(classes()).to_probability(model_.decoder->decode(z).to(at::kFloat));
}

at::Tensor Segmenter::probability(const at::Tensor& images, const ImageNames& names) const {
  return probability(images, starting_noise(images, names));
}

at::Tensor Segmenter::probability(const at::Tensor& images, const at::Tensor& noise) const {
  if (!recorded_) {
    return decode(sample(encode(images), noise));
  }
  check_images(images);
  check_latent(noise, "noise");
  const c10::InferenceMode inference;
  return recorded_->call(placed(images), placed(noise));
}

at::Tensor Segmenter::placed(const at::Tensor& tensor) const {
  return to_device(tensor, options_.device).contiguous(at::MemoryFormat::ChannelsLast);
}

PendingProbability Segmenter::begin(const at::Tensor& images, const ImageNames& names) const {
  const at::Tensor noise = starting_noise(images, names);
  if (!recorded_) {
    return [result = probability(images, noise)] { return result; };
  }
  check_images(images);
  const c10::InferenceMode inference;
  return recorded_->begin(placed(images), placed(noise));
}

at::Tensor Segmenter::probabilities(const at::Tensor& images, const ImageNames& names,
                                    std::int64_t count) const {
  if (count == 1) {
    return probability(images, names).unsqueeze(0);
  }
  const at::Tensor latent = encode(images);
  const std::int64_t at_once = std::max<std::int64_t>(1, images_at_once() / images.size(0));
  std::vector<at::Tensor> samples;
  for (std::int64_t begun = 0; begun < count; begun += at_once) {
    std::vector<at::Tensor> noise;
    for (std::int64_t i = begun; i < std::min(count, begun + at_once); ++i) {
      noise.push_back(starting_noise(images, names, i));
    }
    const auto copies = static_cast<std::int64_t>(noise.size());
    const at::Tensor latents = copies == 1 ? latent : latent.repeat({copies, 1, 1, 1});
    samples.push_back(decode(sample(latents, at::cat(noise))));
  }
  return at::cat(samples).view({count, images.size(0), -1, images.size(2), images.size(3)});
}

std::int64_t Segmenter::images_at_once() const {
  constexpr std::int64_t kPixels = 16 * 256 * 256;
  if (options_.device.is_cpu()) {
    return 1;
  }
  const std::int64_t side = model_.description.preprocessing.resolution;
  return std::max<std::int64_t>(1, kPixels / (side * side));
}

data::ImageOptions Segmenter::image_options() const {
  return {.intensity = model_.description.preprocessing.intensity, .limits = options_.limits};
}

data::VolumeOptions Segmenter::volume_options() const {
  data::VolumeOptions options;
  options.axis = model_.description.preprocessing.slice_axis.value_or(options.axis);
  options.limits.slice = options_.limits;
  return options;
}

Segmentation Segmenter::segment(const at::Tensor& rgb, const std::string& name) const {
  const at::Tensor result = probability(prepare(rgb).unsqueeze(0), ImageNames{name})[0];
  require_finite(result, "the image");
  return finish(result, rgb.size(0), rgb.size(1));
}

at::Tensor Segmenter::prepare(const at::Tensor& rgb) const {
  check_rgb(rgb);
  return data::to_tensor(data::resize_image(rgb, model_.description.preprocessing.resolution));
}

Segmentation Segmenter::finish(const at::Tensor& probability, std::int64_t height,
                               std::int64_t width) const {
  const MaskCodec codec(classes());
  const std::string expected = str("[", codec.channels(), ", H, W]");
  check_tensor(probability, at::kFloat, c10::kCPU, "probability", expected);
  check_shape(
      probability.dim() == 3 && probability.size(0) == codec.channels() && probability.numel() > 0,
      probability, "probability", expected);
  if (height < 1 || width < 1) {
    throw DataError(str("a mask of ", height, " x ", width, " pixels; expected 1 or more"));
  }
  const c10::InferenceMode inference;
  const bool same_size = probability.size(1) == height && probability.size(2) == width;
  Segmentation result;
  result.classes = same_size ? probability : data::resize_probability(probability, height, width);
  result.probability = codec.target(result.classes);
  result.mask = labels(result.classes);
  if (!classes().several()) {
    result.mask.mul_(255);
  }
  return result;
}

at::Tensor Segmenter::labels(const at::Tensor& probability) const {
  return MaskCodec(classes()).to_labels(probability, model_.description.preprocessing.threshold);
}

void prepare_for_inference(torch::nn::Module& network, const SegmenterOptions& options) {
  nn::freeze(network);
  network.to(options.device);
  if (has_own_kernels(options)) {
    nn::pack_convolutions(network);
    return;
  }
  nn::to_channels_last(network);
  if (options.device.is_cuda() && options.precision != Precision::kFloat32) {
    nn::round_weights(network, type_of(options.precision));
  }
}

void prepare_for_inference(TrainingModel& model, const SegmenterOptions& options) {
  prepare_for_inference(static_cast<Model&>(model), options);
  prepare_for_inference(*model.autoencoder->encoder(), options);
  if (model.description.decoder) {
    prepare_for_inference(*model.autoencoder->decoder(), options);
  }
}

void prepare_for_inference(Model& model, const SegmenterOptions& options) {
  prepare_for_inference(*model.latent_encoder, options);
  prepare_for_inference(*model.unet, options);
  prepare_for_inference(*model.decoder, options);
  if (has_own_kernels(options)) {
    const std::int64_t steps =
        resolved(options, model.description.preprocessing).num_inference_steps;
    model.unet->fold_timesteps(diffusion::inference_timesteps(model.description.scheduler, steps));
  }
}

}  // namespace leaf
