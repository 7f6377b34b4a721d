#include "pipeline/weights/describe_weights.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "models/vision_transformer.h"

namespace leaf {
namespace {

/// More levels than any network has; files can claim anything.
constexpr std::int64_t kMaxLevels = 16;

/// A network's tensors, asked for what must be there.
class Tensors {
 public:
  Tensors(const io::TensorMap& tensors, const std::string& source)
      : tensors_(tensors), source_(source) {}

  bool has(const std::string& name) const { return tensors_.contains(name); }

  bool has_prefix(const std::string& prefix) const {
    const auto first = tensors_.lower_bound(prefix);
    return first != tensors_.end() && first->first.starts_with(prefix);
  }

  /// How many of PREFIX0., PREFIX1., ... there are.
  std::int64_t count(const std::string& prefix) const {
    std::int64_t n = 0;
    while (has_prefix(str(prefix, n, "."))) {
      ++n;
    }
    return n;
  }

  std::int64_t size(const std::string& name, std::int64_t dimension) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
      fail(str("it lacks '", name, "'"));
    }
    const at::Tensor& tensor = found->second;
    if (tensor.dim() <= dimension || tensor.numel() == 0) {
      fail(leaf::str("'", name, "' has the shape ", tensor.sizes()));
    }
    return tensor.size(dimension);
  }

  bool any_name_contains(const std::string& part) const {
    return std::any_of(tensors_.begin(), tensors_.end(), [&](const auto& item) {
      return item.first.find(part) != std::string::npos;
    });
  }

  [[noreturn]] void fail(const std::string& reason) const {
    throw WeightsError(str("cannot tell the network from '", source_, "': ", reason));
  }

 private:
  const io::TensorMap& tensors_;
  const std::string& source_;
};

/// The sequence of a tiny encoder or decoder: a convolution, one block at the image's size, blocks
/// and a convolution per halving, a convolution.
struct TinyLayers {
  std::vector<std::int64_t> outputs;  ///< channels of each convolution outside blocks
  std::int64_t blocks = 0;
};

TinyLayers tiny_layers(const Tensors& tensors, const std::string& prefix) {
  const auto there = [&](std::int64_t i) { return tensors.has_prefix(str(prefix, i, ".")); };
  TinyLayers layers;
  // Steps without parameters leave gaps of one.
  for (std::int64_t i = 0; there(i) || there(i + 1); ++i) {
    const std::string layer = str(prefix, i, ".");
    if (tensors.has(layer + "weight")) {
      layers.outputs.push_back(tensors.size(layer + "weight", 0));
    } else if (tensors.has_prefix(layer + "conv.")) {
      ++layers.blocks;
    }
  }
  return layers;
}

models::AutoencoderConfig describe_tiny(const Tensors& tensors) {
  models::AutoencoderConfig config;
  config.type = models::AutoencoderType::kTiny;
  config.variant = tensors.any_name_contains(".pool.") ? models::TinyVariant::kTaef2
                                                       : models::TinyVariant::kTaesd;
  const bool decodes = tensors.has_prefix("decoder.");
  const std::string layers = decodes ? "decoder.layers." : "encoder.layers.";
  const TinyLayers found = tiny_layers(tensors, layers);
  const auto levels = static_cast<std::int64_t>(found.outputs.size()) - 2;
  if (levels < 1 || (found.blocks - 1) % levels != 0) {
    tensors.fail(str(found.blocks, " blocks and ", found.outputs.size(),
                     " other convolutions do not make whole levels"));
  }
  config.blocks = (found.blocks - 1) / levels;
  config.widths.assign(found.outputs.begin(), found.outputs.end() - 1);
  if (decodes) {
    std::reverse(config.widths.begin(), config.widths.end());
  }
  config.latent_channels =
      decodes ? tensors.size("decoder.layers.0.weight", 1) : found.outputs.back();
  return config;
}

/// Blocks of a level: the last output block of every level but the top one ends in a second
/// residual block, which upsamples.
std::int64_t unet_res_blocks(const Tensors& tensors, std::int64_t blocks) {
  for (std::int64_t i = 0; i < blocks; ++i) {
    const std::string block = str("output_blocks.", i, ".");
    if (tensors.has_prefix(block + "1.in_layers.") || tensors.has_prefix(block + "2.in_layers.")) {
      return i;
    }
  }
  return blocks - 1;  // a single level
}

void refuse_other_unets(const Tensors& tensors) {
  if (tensors.any_name_contains(".transformer_blocks.")) {
    tensors.fail("it is a text-conditioned U-Net (with cross attention)");
  }
  if (tensors.any_name_contains(".0.op.")) {
    tensors.fail("it resamples by plain convolutions; only resblock_updown networks are supported");
  }
}

bool same_shape(const models::VisionTransformerConfig& a,
                const models::VisionTransformerConfig& b) {
  return a.width == b.width && a.depth == b.depth && a.patch_size == b.patch_size &&
         a.grid == b.grid && a.num_registers == b.num_registers && a.layer_scale == b.layer_scale &&
         a.swiglu == b.swiglu && a.norm_pre == b.norm_pre;
}

}  // namespace

models::AutoencoderConfig describe_autoencoder(const io::TensorMap& tensors,
                                               const std::string& source) {
  const Tensors found(tensors, source);
  if (found.has_prefix("encoder.layers.") || found.has_prefix("decoder.layers.")) {
    return describe_tiny(found);
  }
  models::AutoencoderConfig config;
  config.ch = found.size("encoder.conv_in.weight", 0);
  const std::int64_t levels = found.count("encoder.down.");
  if (levels < 1 || levels > kMaxLevels) {
    found.fail(str("its encoder has ", levels, " levels"));
  }
  config.ch_mult.clear();
  for (std::int64_t level = 0; level < levels; ++level) {
    config.ch_mult.push_back(found.size(str("encoder.down.", level, ".block.0.conv1.weight"), 0) /
                             config.ch);
  }
  config.num_res_blocks = found.count("encoder.down.0.block.");
  config.latent_channels = found.size("encoder.conv_out.weight", 0) / 2;
  return config;
}

/// The widths of the levels alone tell the network, not what they are multiples of.
models::AutoencoderConfig describe_decoder(const io::TensorMap& tensors,
                                           const std::string& source) {
  const Tensors found(tensors, source);
  if (found.has_prefix("decoder.layers.")) {
    return describe_tiny(found);
  }
  models::AutoencoderConfig config;
  const std::int64_t levels = found.count("decoder.up.");
  if (levels < 1 || levels > kMaxLevels) {
    found.fail(str("its decoder has ", levels, " levels"));
  }
  config.ch = 0;
  config.ch_mult.clear();
  for (std::int64_t level = 0; level < levels; ++level) {
    config.ch_mult.push_back(found.size(str("decoder.up.", level, ".block.0.conv1.weight"), 0));
    config.ch = std::gcd(config.ch, config.ch_mult.back());
  }
  for (std::int64_t& width : config.ch_mult) {
    width /= config.ch;
  }
  config.num_res_blocks = found.count("decoder.up.0.block.") - 1;
  config.latent_channels = found.size("decoder.conv_in.weight", 1);
  return config;
}

models::UNetConfig describe_unet(const io::TensorMap& tensors, const std::string& source) {
  const Tensors found(tensors, source);
  refuse_other_unets(found);
  models::UNetConfig config;
  config.model_channels = found.size("input_blocks.0.0.weight", 0);
  config.in_channels = found.size("input_blocks.0.0.weight", 1);
  config.out_channels = found.size("out.2.weight", 0);
  const std::int64_t blocks = found.count("input_blocks.");
  config.num_res_blocks = unet_res_blocks(found, blocks);
  const std::int64_t per_level = config.num_res_blocks + 1;
  if (config.num_res_blocks < 1 || blocks % per_level != 0 || blocks / per_level > kMaxLevels) {
    found.fail(str(blocks, " input blocks do not make whole levels"));
  }
  config.channel_mult.clear();
  config.attention_resolutions.clear();
  for (std::int64_t level = 0; level < blocks / per_level; ++level) {
    const std::string first = str("input_blocks.", 1 + level * per_level, ".");
    config.channel_mult.push_back(found.size(first + "0.in_layers.2.weight", 0) /
                                  config.model_channels);
    if (found.has_prefix(first + "1.qkv.")) {
      config.attention_resolutions.push_back(std::int64_t{1} << level);
    }
  }
  return config;
}

models::VisionTransformerConfig describe_vision_transformer(const io::TensorMap& tensors,
                                                            const std::string& source) {
  constexpr std::int64_t kHeadWidth = 64;
  const Tensors found(tensors, source);
  models::VisionTransformerConfig config;
  config.width = found.size("cls_token", 2);
  config.depth = found.count("blocks.");
  config.num_heads = std::max<std::int64_t>(config.width / kHeadWidth, 1);
  config.patch_size = found.size("patch_embed.proj.weight", 2);
  config.grid = std::llround(std::sqrt(found.size("pos_embed", 1) - 1));
  config.num_registers = found.has("register_tokens") ? found.size("register_tokens", 1) : 0;
  config.layer_scale = found.has_prefix("blocks.0.ls1.");
  config.swiglu = found.has_prefix("blocks.0.mlp.w12.");
  config.norm_pre = found.has_prefix("norm_pre.");
  return config;
}

std::vector<std::string> teachers_of_shape(const models::VisionTransformerConfig& config) {
  std::vector<std::string> names;
  for (const std::string& name : models::vision_transformer_names()) {
    if (same_shape(config, models::vision_transformer_config(name))) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace leaf
