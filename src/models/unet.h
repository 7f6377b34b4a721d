#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "leaf/models/input_widening.h"
#include "leaf/models/model_config.h"
#include "nn/activations.h"
#include "nn/layers.h"
#include "nn/recompute.h"

namespace leaf::models {

enum class Resample { kNone, kDown, kUp };

/// What residual blocks hear of the timesteps.
struct TimeCondition {
  at::Tensor embedding;      ///< [N, E]; undefined where `folded` counts
  std::int64_t folded = -1;  ///< which of the timesteps given to fold_timesteps
};

/// Residual block conditioned on the timestep: scale-shift norm, optional 2x resampling of both
/// branches.
class UNetResidualBlock : public nn::Recomputable {
 public:
  UNetResidualBlock(std::int64_t in_channels, std::int64_t out_channels, std::int64_t embedding,
                    double dropout, Resample resample);
  /// x [N, C_in, H, W] -> [N, C_out, H', W'] with H' = H, H/2 or 2H
  at::Tensor forward(const at::Tensor& x, const TimeCondition& time) const;
  /// Keeps what the block makes of these embeddings [T, E].
  void fold(const at::Tensor& embeddings);

 private:
  at::Tensor resampled(const at::Tensor& x) const;
  /// The way past the convolutions.
  at::Tensor shortcut(const at::Tensor& x) const;
  /// Through the first convolution.
  at::Tensor entered(const at::Tensor& x) const;
  /// What surrounds the second convolution, but for the shortcut.
  ops::ConvContext around_second(const TimeCondition& time) const;
  /// The second norm's [N, 2 C_out] (or [1, 2 C_out] for all images): scale, then shift.
  at::Tensor scale_shift(const TimeCondition& time) const;

  std::shared_ptr<nn::GroupNorm> in_norm_, out_norm_;
  std::shared_ptr<nn::Conv2d> in_conv_, out_conv_, skip_connection_;
  std::shared_ptr<nn::Linear> emb_linear_;
  at::Tensor folded_;  // [T, 2 C_out]
  double dropout_;
  Resample resample_;
};

/// Multi-head self-attention over all positions; heads are split before q, k and v.
class UNetAttentionBlock : public nn::Recomputable {
 public:
  UNetAttentionBlock(std::int64_t channels, std::int64_t num_heads);
  /// x [N, C, H, W] -> same shape
  at::Tensor forward(const at::Tensor& x) const;

 private:
  /// What is added to x.
  at::Tensor attended(const at::Tensor& x) const;

  std::shared_ptr<nn::GroupNorm> norm_;
  std::shared_ptr<nn::TokenConv1d> qkv_, proj_out_;
  std::int64_t num_heads_;
};

/// One entry of input_blocks, middle_block or output_blocks: a sequence whose keys are positions.
class UNetStage : public torch::nn::Module {
 public:
  void add(std::shared_ptr<nn::Conv2d> conv);
  void add(std::shared_ptr<UNetResidualBlock> block);
  void add(std::shared_ptr<UNetAttentionBlock> attention);
  /// x [N, C, H, W] -> output of the last element. Recorded names: positions.
  at::Tensor forward(at::Tensor x, const TimeCondition& time,
                     const nn::Recorder& recorder = {}) const;

 private:
  std::vector<std::function<at::Tensor(const at::Tensor& x, const TimeCondition& time)>> steps_;
};

/// The denoising U-Net (CompVis `openaimodel.UNetModel`, scale-shift norm and residual resampling).
class UNet : public torch::nn::Module {
 public:
  explicit UNet(const UNetConfig& config);

  /// x [N, in, h, w] (image latent first, noisy mask latent second), timestep [N] int64
  /// -> prediction [N, out, h, w]. Recorded names: time_embed, input_blocks.I, middle_block,
  /// output_blocks.I and the parts of these (middle_block.1), out.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& timestep,
                     nn::Activations* activations = nullptr) const;

  /// Computes for these timesteps what never changes while the weights do not: the embedding and
  /// what each residual block makes of it. For inference on the CPU; replaces what was folded.
  void fold_timesteps(const std::vector<std::int64_t>& timesteps);

  const UNetConfig& config() const { return config_; }

 private:
  /// timestep [N] -> [N, E]
  at::Tensor embed(const at::Tensor& timestep) const;
  TimeCondition condition(const at::Tensor& timestep) const;
  void build_input_blocks(nn::Group& group);
  void build_output_blocks(nn::Group& group);
  std::shared_ptr<UNetResidualBlock> make_block(std::int64_t in_channels, std::int64_t out_channels,
                                                Resample resample = Resample::kNone) const;
  bool has_attention(std::int64_t downsampling_rate) const;

  UNetConfig config_;
  std::vector<std::int64_t> folded_timesteps_;
  std::shared_ptr<nn::Linear> time_embed_0_, time_embed_2_;
  std::vector<std::shared_ptr<UNetStage>> input_blocks_, output_blocks_;
  std::vector<std::int64_t> skip_channels_;  // construction only: outputs waiting for their skip
  std::shared_ptr<UNetStage> middle_block_;
  std::shared_ptr<nn::GroupNorm> out_norm_;
  std::shared_ptr<nn::Conv2d> out_conv_;
};

/// Where features are aligned: the first input block after block 0 whose side is half the latent's.
struct AlignmentTap {
  std::string name;       ///< activation name, "input_blocks.3"
  std::int64_t channels;  ///< width of that map
};
AlignmentTap alignment_tap(const UNetConfig& config);

/// cos then sin of t * exp(-ln(10000) k / (dim/2)), k = 0 .. dim/2-1: timestep [N] -> [N, dim].
at::Tensor timestep_embedding(const at::Tensor& timestep, std::int64_t dim);

/// The first filters of a U-Net for the mask's latent, weight [C, I, 3, 3], as those of one for the
/// image's and the mask's: [C, 2I, 3, 3].
at::Tensor widen_input(const at::Tensor& weight, InputWidening how);

}  // namespace leaf::models
