// diffusers' AutoencoderKL: CompVis's network, attention with Linear layers.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "format.h"
#include "leaf/core/strings.h"

namespace leaf::io::names {
namespace {

void add_common(std::vector<Rule>& rules, const std::string& half) {
  const auto add = [&](const char* theirs, const char* ours, Shape shape = Shape::kSame) {
    rules.push_back({leaf::str(half, ".", theirs), leaf::str(half, ".", ours), shape});
  };
  add("conv_norm_out.*", "norm_out.*");
  add("mid_block.resnets.0.*", "mid.block_1.*");
  add("mid_block.resnets.1.*", "mid.block_2.*");
  add("mid_block.attentions.0.group_norm.*", "mid.attn_1.norm.*");
  add("mid_block.attentions.0.to_q.*", "mid.attn_1.q.*", Shape::kPointwise);
  add("mid_block.attentions.0.to_k.*", "mid.attn_1.k.*", Shape::kPointwise);
  add("mid_block.attentions.0.to_v.*", "mid.attn_1.v.*", Shape::kPointwise);
  add("mid_block.attentions.0.to_out.0.*", "mid.attn_1.proj_out.*", Shape::kPointwise);
  // Files from before diffusers 0.12.
  add("mid_block.attentions.0.query.*", "mid.attn_1.q.*", Shape::kPointwise);
  add("mid_block.attentions.0.key.*", "mid.attn_1.k.*", Shape::kPointwise);
  add("mid_block.attentions.0.value.*", "mid.attn_1.v.*", Shape::kPointwise);
  add("mid_block.attentions.0.proj_attn.*", "mid.attn_1.proj_out.*", Shape::kPointwise);
}

KnownWeights read_part(WeightPart part, const TensorMap& tensors, const Reading& reading) {
  const std::int64_t last = largest_number(tensors, "decoder.up_blocks.{i}.*", "i");
  return sort_into({{part, diffusers_autoencoder_rules(last)}}, tensors, reading);
}

}  // namespace

std::vector<Rule> diffusers_autoencoder_rules(std::int64_t last) {
  std::vector<Rule> rules;
  add_common(rules, "encoder");
  add_common(rules, "decoder");
  const std::string down = "encoder.down.{i}.";
  const std::string up = leaf::str("decoder.up.{", std::max<std::int64_t>(last, 0), "-i}.");
  const std::vector<Rule> levels{
      {"encoder.down_blocks.{i}.resnets.{j}.conv_shortcut.*", down + "block.{j}.nin_shortcut.*"},
      {"encoder.down_blocks.{i}.resnets.{j}.*", down + "block.{j}.*"},
      {"encoder.down_blocks.{i}.downsamplers.0.conv.*", down + "downsample.conv.*"},
      {"decoder.up_blocks.{i}.resnets.{j}.conv_shortcut.*", up + "block.{j}.nin_shortcut.*"},
      {"decoder.up_blocks.{i}.resnets.{j}.*", up + "block.{j}.*"},
      {"decoder.up_blocks.{i}.upsamplers.0.conv.*", up + "upsample.conv.*"},
      {"*", "*"}};  // conv_in, conv_out, quant_conv, post_quant_conv
  rules.insert(rules.end(), levels.begin(), levels.end());
  return rules;
}

std::vector<Format> diffusers_autoencoder_formats() {
  const std::string encoder = "encoder.down_blocks.0.resnets.0.conv1.weight";
  const std::string decoder = "decoder.up_blocks.0.resnets.0.conv1.weight";
  const auto autoencoder_reader = [](const TensorMap& tensors, const Reading& reading) {
    return read_part(WeightPart::kAutoencoder, tensors, reading);
  };
  const auto latent_encoder_reader = [](const TensorMap& tensors, const Reading& reading) {
    return read_part(WeightPart::kLatentEncoder, tensors, reading);
  };
  return {{"AutoencoderKL (diffusers)", {encoder, decoder}, autoencoder_reader},
          {"AutoencoderKL (diffusers), decoder half", {decoder}, autoencoder_reader},
          {"AutoencoderKL (diffusers), encoder half", {encoder}, latent_encoder_reader}};
}

}  // namespace leaf::io::names
