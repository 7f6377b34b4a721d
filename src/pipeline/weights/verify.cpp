#include "leaf/pipeline/verify.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "models/autoencoder_kl.h"
#include "models/unet.h"
#include "pipeline/mask_codec.h"

namespace leaf {
namespace {

constexpr const char* kInputs = "input.";

/// 1 to 999.
bool is_step_count(const std::string& text) {
  return !text.empty() && text.size() < 4 && text[0] != '0' &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

/// One run over a file of activations: what was recorded, what has been computed so far.
class Replay {
 public:
  Replay(const TrainingModel& model, const io::TensorMap& recorded, const SegmenterOptions& options)
      : model_(model),
        recorded_(recorded),
        options_(options),
        scheduler_(model.description.scheduler) {}

  io::TensorMap run() {
    encode_mask();
    encode_image();
    decode();
    denoise();
    segment();
    std::erase_if(computed_, [&](const auto& item) { return !recorded_.contains(item.first); });
    for (auto& [name, tensor] : computed_) {
      tensor = tensor.to(at::kCPU, at::kFloat);
    }
    return computed_;
  }

 private:
  bool has_input(const char* name) const { return recorded_.contains(kInputs + std::string(name)); }

  at::Tensor input(const char* name) const {
    return recorded_.at(kInputs + std::string(name)).to(options_.device);
  }

  MaskCodec codec() const { return MaskCodec(model_.description.preprocessing.classes); }
  at::Tensor noise() const { return input("noise").to(at::kFloat); }
  at::Tensor timestep() const { return input("timestep").to(at::kLong); }

  /// The image or the mask: [N, 3, R, R] in [0, 1].
  at::Tensor pixels(const char* name) const {
    const at::Tensor values = input(name).to(at::kFloat);
    const std::int64_t factor = models::downsampling(model_.description.autoencoder);
    if (values.dim() != 4 || values.size(2) % factor != 0 || values.size(3) % factor != 0) {
      throw DataError(leaf::str("'", kInputs, name, "' has the shape ", values.sizes(),
                                "; the model takes [N, 3, H, W] in multiples of ", factor));
    }
    return values.size(1) == 1 ? codec().to_image(values)
                               : values.contiguous(at::MemoryFormat::ChannelsLast);
  }

  /// A latent as it was recorded, or else as computed; undefined when there is neither.
  at::Tensor latent(const std::string& name) const {
    for (const io::TensorMap* tensors : {&recorded_, &computed_}) {
      if (const auto found = tensors->find(name); found != tensors->end()) {
        return found->second.to(options_.device, at::kFloat);
      }
    }
    return {};
  }

  /// Names below `prefix` that a forward pass shall record.
  nn::Activations wanted(const std::string& prefix) const {
    std::set<std::string> names;
    for (const auto& [name, tensor] : io::strip_prefix(recorded_, prefix)) {
      names.insert(name);
    }
    return nn::Activations(names);
  }

  void keep(const std::string& prefix, const nn::Activations& activations) {
    computed_.merge(io::with_prefix(activations.values(), prefix));
  }

  /// Moments, latent and modules of one of the two encoders.
  void encode(models::LatentEncoder& encoder, const at::Tensor& image, const std::string& prefix,
              const char* latent_name) {
    computed_[prefix + latent_name] = encoder.encode(image);
    if (const auto* kl = dynamic_cast<const models::KlLatentEncoder*>(&encoder)) {
      nn::Activations activations = wanted(prefix);
      computed_[prefix + "moments"] = kl->moments(image, &activations);
      keep(prefix, activations);
    }
  }

  void encode_mask() {
    if (has_input("mask")) {
      encode(*model_.autoencoder->encoder(), pixels("mask"), "vae.", "mask_latent");
    }
  }

  void encode_image() {
    if (has_input("image")) {
      encode(*model_.latent_encoder, pixels("image"), "latent_encoder.", "latent");
    }
  }

  void decode() {
    const at::Tensor z = latent("vae.mask_latent");
    const auto* kl =
        dynamic_cast<const models::KlLatentDecoder*>(model_.autoencoder->decoder().get());
    if (z.defined() && kl != nullptr) {
      nn::Activations activations = wanted("vae.");
      computed_["vae.decoded"] =
          kl->decode_raw(z / model_.description.autoencoder.scaling_factor, &activations);
      keep("vae.", activations);
    }
  }

  void denoise() {
    const at::Tensor mask_latent = latent("vae.mask_latent");
    if (mask_latent.defined() && has_input("noise") && has_input("timestep")) {
      computed_["diffusion.noisy_latent"] = scheduler_.add_noise(mask_latent, noise(), timestep());
    }
    const at::Tensor image_latent = latent("latent_encoder.latent");
    const at::Tensor noisy = latent("diffusion.noisy_latent");
    if (image_latent.defined() && noisy.defined() && has_input("timestep")) {
      nn::Activations activations = wanted("unet.");
      computed_["unet.output"] =
          model_.unet->forward(at::cat({image_latent, noisy}, 1), timestep(), &activations);
      keep("unet.", activations);
    }
  }

  void segment() {
    if (!has_input("image") || !has_input("noise")) {
      return;
    }
    for (const auto& [type, type_name] : enum_names(diffusion::PredictionType{})) {
      const std::string prefix = "pipeline." + type_name + ".";
      for (const auto& [steps, tensor] : io::strip_prefix(recorded_, prefix)) {
        if (is_step_count(steps)) {
          computed_[prefix + steps] = probability(type, std::stoll(steps));
        }
      }
    }
  }

  at::Tensor probability(diffusion::PredictionType type, std::int64_t steps) const {
    Model model = model_;
    model.description.scheduler.prediction_type = type;
    SegmenterOptions options = options_;
    options.num_inference_steps = steps;
    return Segmenter(model, options).probability(pixels("image"), noise());
  }

  const TrainingModel& model_;
  const io::TensorMap& recorded_;
  const SegmenterOptions& options_;
  diffusion::NoiseScheduler scheduler_;
  io::TensorMap computed_;
};

Comparison compare(const std::string& name, const io::TensorMap& computed, const at::Tensor& theirs,
                   double tolerance) {
  Comparison row{name, theirs.sizes().vec(), std::nullopt, "not computed"};
  const auto found = computed.find(name);
  if (found == computed.end()) {
    return row;
  }
  if (found->second.sizes() != theirs.sizes()) {
    row.verdict = leaf::str("MISS: ours has the shape ", found->second.sizes());
    return row;
  }
  row.error = relative_error(found->second, theirs);
  row.verdict = *row.error <= tolerance ? "ok" : "MISS";  // MISS where it is not a number
  return row;
}

}  // namespace

double relative_error(const at::Tensor& ours, const at::Tensor& theirs) {
  const at::Tensor a = ours.detach().to(at::kCPU, at::kDouble);
  const at::Tensor b = theirs.detach().to(at::kCPU, at::kDouble);
  const double difference = (a - b).norm().item<double>();
  const double size = b.norm().item<double>();
  if (size == 0) {
    return difference == 0 ? 0 : std::numeric_limits<double>::infinity();
  }
  return difference / size;
}

io::TensorMap read_activations(const std::filesystem::path& path) {
  try {
    return io::read_weights(path);
  } catch (const WeightsError& failure) {
    throw DataError(str("leaf::read_activations: ", failure.what()));
  }
}

io::TensorMap compute_activations(const TrainingModel& model, const io::TensorMap& recorded,
                                  const SegmenterOptions& options) {
  const c10::InferenceMode inference;
  const AutocastGuard autocast(options.device, options.precision);
  try {
    return Replay(model, recorded, options).run();
  } catch (const c10::Error& failure) {
    throw DataError(
        str("the recorded inputs do not fit the model: ", failure.what_without_backtrace()));
  }
}

std::vector<Comparison> compare_activations(const io::TensorMap& computed,
                                            const io::TensorMap& recorded, double tolerance) {
  std::vector<Comparison> rows;
  for (const auto& [name, tensor] : recorded) {
    if (!name.starts_with(kInputs)) {
      rows.push_back(compare(name, computed, tensor, tolerance));
    }
  }
  return rows;
}

double expected_tolerance(const std::filesystem::path& folder, Precision precision) {
  constexpr double kFloat32 = 1e-4;
  constexpr double kFloat16 = 5e-3;
  constexpr double kBFloat16 = 3e-2;
  double tolerance = precision == Precision::kBFloat16  ? kBFloat16
                     : precision == Precision::kFloat16 ? kFloat16
                                                        : kFloat32;
  for (const char* part : {"vae", "latent_encoder", "unet", "decoder"}) {
    if (!std::filesystem::exists(folder / part)) {
      continue;
    }
    for (const auto& [name, tensor] : io::read_weights(folder / part)) {
      const bool half = tensor.scalar_type() == at::kHalf;
      const bool brain = tensor.scalar_type() == at::kBFloat16;
      tolerance = std::max(tolerance, brain ? kBFloat16 : half ? kFloat16 : kFloat32);
    }
  }
  return tolerance;
}

}  // namespace leaf
