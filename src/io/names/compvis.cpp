// CompVis latent diffusion and what has grown from it: LEAF (our own names) and SDSeg.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "../weight_file.h"
#include "format.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/weights.h"

namespace leaf::io::names {
namespace {

constexpr const char* kUNetPrefix = "model.diffusion_model.";
constexpr const char* kEmaPrefix = "model_ema.diffusion_model";  // and names without dots
constexpr const char* kScaleFactor = "scale_factor";
constexpr const char* kFirstConvolution = "input_blocks.0.0.weight";

std::vector<Rule> autoencoder_rules() {
  return {{"loss.*", ""}, {"model_ema.*", ""}, {"scale_factor", ""}, {"*", "*"}};
}

std::vector<Network> latent_diffusion() {
  return {
      {WeightPart::kUNet, {{"model.diffusion_model.*", "*"}}},
      {WeightPart::kAutoencoder, {{"first_stage_model.loss.*", ""}, {"first_stage_model.*", "*"}}}};
}

/// The trained image encoder ends in a convolution of its own, `out`.
std::vector<Network> sdseg() {
  std::vector<Network> networks = latent_diffusion();
  networks.push_back(
      {WeightPart::kLatentEncoder,
       {{"cond_stage_model.encoder.*", "encoder.*"}, {"cond_stage_model.out.*", "quant_conv.*"}}});
  return networks;
}

/// The name of a moving average's buffer.
std::string ema_name_of(std::string name) {
  std::erase(name, '.');
  return kEmaPrefix + name;
}

/// Puts the moving average, kept as buffers whose names have no dots, in the U-Net's place.
void take_ema(KnownWeights& known, const TensorMap& tensors, const Reading& reading) {
  if (!known.parts.contains(WeightPart::kUNet) ||
      !std::any_of(known.unused.begin(), known.unused.end(),
                   [](const std::string& name) { return name.starts_with(kEmaPrefix); })) {
    return;
  }
  for (auto& [name, tensor] : known.parts.at(WeightPart::kUNet)) {
    const std::string ema_name = ema_name_of(name);
    const auto found = tensors.find(ema_name);
    if (found == tensors.end() || found->second.sizes() != tensor.sizes()) {
      bad_weights(reading.source, str("its moving average lacks '", printable(name), "' (",
                                      printable(ema_name), "); take the weights themselves"));
    }
    tensor = found->second;
    std::replace(known.unused.begin(), known.unused.end(), ema_name, kUNetPrefix + name);
  }
  known.ema = true;
}

KnownWeights read_latent_diffusion(const std::vector<Network>& networks, const TensorMap& tensors,
                                   const Reading& reading) {
  KnownWeights known = sort_into(networks, tensors, reading);
  if (reading.options.prefer_ema) {
    take_ema(known, tensors, reading);
  }
  return known;
}

/// The factor that SDSeg multiplies its latents by: 1 / standard deviation of the first batch.
double read_scale_factor(const TensorMap& tensors, const Reading& reading) {
  const auto found = tensors.find(kScaleFactor);
  if (found == tensors.end()) {
    log::warn(str("'", reading.source, "' states no scale_factor: 1 is assumed, SDSeg's default"));
    return 1;
  }
  const double factor = found->second.numel() == 1 ? found->second.item<double>() : 0;
  if (!std::isfinite(factor) || factor <= 0) {
    bad_weights(reading.source, "its scale_factor is not a positive number");
  }
  return factor;
}

/// SDSeg concatenates the mask's latent first, we the image's.
at::Tensor swapped_halves(const at::Tensor& weight) {
  const auto halves = weight.chunk(2, 1);
  return at::cat({halves[1], halves[0]}, 1);
}

void swap_input_halves(at::Tensor& weight, const Reading& reading) {
  if (weight.dim() != 4 || weight.size(1) % 2 != 0) {
    bad_weights(reading.source, "its U-Net does not take two latents");
  }
  weight = swapped_halves(weight);
}

/// SDSeg's image encoder gives the latent itself, in the scale of the U-Net. Ours gives mean and
/// log variance, of which the mean is taken and multiplied by `factor`.
at::Tensor as_moments(const at::Tensor& out, double factor) {
  return out.dim() == 0 ? out : at::cat({out / factor, at::zeros_like(out)}, 0);
}

KnownWeights read_sdseg(const TensorMap& tensors, const Reading& reading) {
  KnownWeights known = read_latent_diffusion(sdseg(), tensors, reading);
  const double factor = read_scale_factor(tensors, reading);
  known.scaling_factor = factor;
  std::erase(known.unused, kScaleFactor);
  swap_input_halves(known.parts[WeightPart::kUNet].at(kFirstConvolution), reading);
  for (auto& [name, tensor] : known.parts[WeightPart::kLatentEncoder]) {
    if (name.starts_with("quant_conv.")) {
      tensor = as_moments(tensor, factor);
    }
  }
  return known;
}

/// The other direction: the rows of the mean, in the scale of the U-Net.
at::Tensor as_latent(const at::Tensor& moments, double factor) {
  return moments.narrow(0, 0, moments.size(0) / 2) * factor;
}

constexpr double kEmaDecay = 0.9999;  // SDSeg's

}  // namespace

std::vector<Format> compvis_formats() {
  const std::string unet_input = std::string(kUNetPrefix) + kFirstConvolution;
  const auto latent_diffusion_reader = [](const TensorMap& tensors, const Reading& reading) {
    return read_latent_diffusion(latent_diffusion(), tensors, reading);
  };
  const auto autoencoder_reader = [](const TensorMap& tensors, const Reading& reading) {
    return sort_into({{WeightPart::kAutoencoder, autoencoder_rules()}}, tensors, reading);
  };
  const auto latent_encoder_reader = [](const TensorMap& tensors, const Reading& reading) {
    return sort_into({{WeightPart::kLatentEncoder, autoencoder_rules()}}, tensors, reading);
  };
  const auto unet_reader = [](const TensorMap& tensors, const Reading& reading) {
    return sort_into({{WeightPart::kUNet, {{"*", "*"}}}}, tensors, reading);
  };
  return {{"SDSeg",
           {unet_input, "cond_stage_model.encoder.conv_in.weight", "cond_stage_model.out.weight"},
           read_sdseg},
          {"CompVis latent diffusion", {unet_input}, latent_diffusion_reader},
          {"KL autoencoder (CompVis, LEAF)",
           {"encoder.down.0.block.0.conv1.weight", "decoder.up.0.block.0.conv1.weight"},
           autoencoder_reader},
          {"KL autoencoder (CompVis, LEAF), decoder half",
           {"decoder.up.0.block.0.conv1.weight"},
           autoencoder_reader},
          {"latent encoder (LEAF)",
           {"encoder.down.0.block.0.conv1.weight", "quant_conv.weight"},
           latent_encoder_reader},
          {"U-Net (CompVis, LEAF)",
           {kFirstConvolution, "middle_block.0.in_layers.0.weight"},
           unet_reader}};
}

}  // namespace leaf::io::names

namespace leaf::io {

TensorMap to_sdseg(const ModelTensors& model) {
  TensorMap all = with_prefix(model.autoencoder, "first_stage_model.");
  for (const auto& [name, tensor] : model.unet) {
    const at::Tensor value =
        name == names::kFirstConvolution ? names::swapped_halves(tensor) : tensor;
    all[names::kUNetPrefix + name] = value;
    all[names::ema_name_of(name)] = value.clone();
  }
  all["model_ema.decay"] = at::scalar_tensor(names::kEmaDecay, at::kFloat);
  all["model_ema.num_updates"] = at::scalar_tensor(0, at::kInt);
  for (const auto& [name, tensor] : model.latent_encoder) {
    const bool last = name.starts_with("quant_conv.");
    const std::string own = last ? "out" + name.substr(std::string("quant_conv").size()) : name;
    all["cond_stage_model." + own] = last ? names::as_latent(tensor, model.scaling_factor) : tensor;
  }
  all[names::kScaleFactor] = at::scalar_tensor(model.scaling_factor, at::kFloat);
  return all;
}

}  // namespace leaf::io
