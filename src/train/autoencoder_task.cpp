#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/summary.h"
#include "leaf/pipeline/model.h"
#include "leaf/train/build_model.h"
#include "losses/losses.h"
#include "models/autoencoder_kl.h"
#include "models/autoencoder_tiny.h"
#include "networks.h"
#include "nn/recompute.h"
#include "pipeline/evaluation/score_labels.h"
#include "pipeline/mask_codec.h"
#include "train/task.h"

namespace leaf {
namespace {

constexpr const char* kLatentRms = "latent_rms";
constexpr double kNoDropout = 0.0;

/// Of the term that keeps a tiny autoencoder's latents near unit variance.
constexpr double kScaleWeight = 0.1;

/// An autoencoder from nothing, on images and masks alike: L1, with KL where it makes
/// distributions, else with what keeps its latents' mean square near 1. What it saves is a `vae`
/// folder; of KL autoencoders the latents, times the configured scaling factor, have unit variance.
class AutoencoderTask : public TrainingTask {
 public:
  AutoencoderTask(const Config& config, c10::Device device)
      : config_(config), device_(device), codec_(config.data.classes) {
    autoencoder_ = models::make_autoencoder(config.model.autoencoder);
    encoder_ = autoencoder_->encoder();
    decoder_ = autoencoder_->decoder();
    const bool has_start =
        !config.model.autoencoder_weights.empty() || !config.model.pretrained.empty();
    if (config.model.init == ModelInit::kPretrained && has_start) {
      load_autoencoder(*autoencoder_, config.model);
    } else {
      nn::initialise(*autoencoder_, config.seed);
    }
    if (config.train.gradient_checkpointing) {
      nn::recompute_blocks(*autoencoder_);
    }
    networks_ = {{.name = "vae", .module = autoencoder_, .learned = true, .saved = true}};
    place(networks_, device_);
  }

  NamedParameters parameters() override { return learned_parameters(networks_); }

  TaskLoss loss(const data::Batch& batch) override {
    const AutocastGuard autocast(device_, config_.train.mixed_precision);
    const at::Tensor x = both_kinds(batch.images, batch.masks);
    return is_kl() ? kl_loss(x, batch.step) : tiny_loss(x);
  }

  void after_update(std::int64_t /*update*/) override {}

  Scores validate(const data::Dataset& share, const ValidationOptions& options) override {
    const at::NoGradGuard no_grad;
    const at::Tensor own = at::empty({static_cast<std::int64_t>(share.size()), 4}, at::kDouble);
    for (std::size_t i = 0; i < share.size(); ++i) {
      own[static_cast<std::int64_t>(i)].copy_(image_row(share.load(i)));
    }
    const at::Tensor rows = options.gather(own);
    double error = 0.0;
    double dice = 0.0;
    double square_sum = 0.0;
    double count = 0.0;
    for (std::int64_t i = 0; i < rows.size(0); ++i) {
      error += rows[i][0].item<double>();
      dice += rows[i][1].item<double>();
      square_sum += rows[i][2].item<double>();
      count += rows[i][3].item<double>();
    }
    latent_rms_ = std::sqrt(square_sum / count);
    const auto images = static_cast<double>(rows.size(0));
    return {{kScore, -error / images},
            {"l1", error / images},
            {"mask_dice", dice / images},
            {kLatentRms, latent_rms_}};
  }

  io::TensorMap state() override {
    io::TensorMap state = state_of(networks_);
    state[kLatentRms] = at::scalar_tensor(latent_rms_, at::kDouble);
    return state;
  }

  void load_state(const io::TensorMap& state) override {
    leaf::load_state(networks_, state);
    const auto rms = state.find(kLatentRms);
    if (rms == state.end()) {
      throw WeightsError(str("the checkpoint has no '", kLatentRms, "'"));
    }
    latent_rms_ = rms->second.item<double>();
  }

  void save_model(const std::filesystem::path& folder) override {
    const models::AutoencoderConfig& shape = config_.model.autoencoder;
    if (!is_kl()) {
      save_autoencoder(folder, *autoencoder_, shape);
      return;
    }
    const auto encoder = std::make_shared<models::KlLatentEncoder>(shape, kNoDropout);
    const auto decoder = std::make_shared<models::KlLatentDecoder>(shape);
    nn::copy_parameters(*encoder_, *encoder);
    nn::copy_parameters(*decoder_, *decoder);
    if (latent_rms_ > 0) {
      encoder->rescale(1.0 / latent_rms_);
      decoder->rescale(1.0 / latent_rms_);
    }
    save_autoencoder(folder, *std::make_shared<models::Autoencoder>(encoder, decoder), shape);
  }

 private:
  bool is_kl() const { return config_.model.autoencoder.type == models::AutoencoderType::kKl; }

  TaskLoss kl_loss(const at::Tensor& x, std::int64_t step) const {
    const auto& encoder = dynamic_cast<const models::KlLatentEncoder&>(*encoder_);
    const auto& decoder = dynamic_cast<const models::KlLatentDecoder&>(*decoder_);
    const at::Tensor moments = encoder.moments(x).to(at::kFloat);
    const at::Tensor decoded = decoder.decode_raw(posterior_sample(moments, step));
    const at::Tensor reconstruction = losses::l1(decoded.to(at::kFloat), 2 * x - 1);
    const at::Tensor kl = losses::kl_divergence(moments);
    return {.total = reconstruction + config_.train.kl_weight * kl,
            .parts = {{"loss_reconstruction", reconstruction}, {"loss_kl", kl}}};
  }

  TaskLoss tiny_loss(const at::Tensor& x) const {
    const auto& decoder = dynamic_cast<const models::TinyLatentDecoder&>(*decoder_);
    const at::Tensor latents = encoder_->encode(x).to(at::kFloat);
    const at::Tensor reconstruction =
        2 * losses::l1(decoder.decode_raw(latents).to(at::kFloat), x);  // as of [-1, 1]
    const at::Tensor scale = (latents.square().mean() - 1).square();
    return {.total = reconstruction + kScaleWeight * scale,
            .parts = {{"loss_reconstruction", reconstruction}, {"loss_scale", scale}}};
  }

  /// An image's and its mask's error, the mask's Dice, the squares' sum and the count of both's
  /// latents' elements.
  at::Tensor image_row(const data::Sample& sample) {
    const at::Tensor x = both_kinds(sample.image.unsqueeze(0), sample.mask.unsqueeze(0));
    const at::Tensor latent = encoder_->encode(x);
    const at::Tensor decoded = decoder_->decode(latent);
    const at::Tensor mask = codec_.to_labels(codec_.to_probability(decoded.narrow(0, 1, 1)), 0.5);
    const double dice =
        score_labels(sample.name, mask[0].cpu(), sample.mask[0], config_.data.classes)
            .value("dice");
    return at::tensor({(decoded - x).abs().mean().item<double>(), dice,
                       latent.square().sum().item<double>(), static_cast<double>(latent.numel())},
                      at::kDouble);
  }

  /// Images and masks as one batch [2N, 3, R, R] in [0, 1]: the autoencoder must carry both.
  at::Tensor both_kinds(const at::Tensor& images, const at::Tensor& masks) const {
    return to_device(at::cat({images, codec_.to_image(masks)}), device_)
        .contiguous(at::MemoryFormat::ChannelsLast);
  }

  /// mean + std * noise. The noise is addressed by (seed, step, index in the batch, image or mask),
  /// so that it does not depend on the batch.
  at::Tensor posterior_sample(const at::Tensor& moments, std::int64_t step) const {
    const auto halves = moments.chunk(2, 1);
    const auto shape = halves[0].sizes();
    const std::int64_t samples = shape[0] / 2;  // images, then masks
    std::vector<at::Tensor> noise;
    for (std::int64_t i = 0; i < shape[0]; ++i) {
      const std::int64_t number = 2 * (i % samples) + i / samples;
      noise.push_back(normal_tensor(shape.slice(1),
                                    RandomStream(config_.seed, Purpose::kPosterior, step, number)));
    }
    return halves[0] + (0.5 * losses::clamped_log_variance(halves[1])).exp() *
                           to_device(at::stack(noise), device_);
  }

  Config config_;
  c10::Device device_;
  MaskCodec codec_;
  std::shared_ptr<models::LatentEncoder> encoder_;
  std::shared_ptr<models::LatentDecoder> decoder_;
  std::shared_ptr<models::Autoencoder> autoencoder_;  ///< both, for what concerns all parameters
  TaskNetworks networks_;
  double latent_rms_ = 0.0;  ///< of the latest validation; 0 before the first
};

}  // namespace

std::unique_ptr<TrainingTask> make_autoencoder_task(const Config& config, c10::Device device) {
  return std::make_unique<AutoencoderTask>(config, device);
}

}  // namespace leaf
