#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "leaf/io/tensor_map.h"
#include "leaf/pipeline/model.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// ||ours - theirs|| / ||theirs||, in double; 0 where both are zero, infinite where theirs alone
/// is.
double relative_error(const at::Tensor& ours, const at::Tensor& theirs);

/// The recorded tensors in a file (any that io::read_weights takes). DataError says that it is the
/// activations which cannot be read, and why.
io::TensorMap read_activations(const std::filesystem::path& path);

/// Runs a model, as it is or prepared for inference (with its autoencoder), on what was recorded of
/// another implementation, and returns the recorded tensors that can be computed, under their
/// names, float32.
///
/// Inputs: `input.image` [N, 3, R, R] in [0, 1], `input.mask` [N, 3 or 1, R, R] 0 or 1,
/// `input.noise` [N, L, r, r], `input.timestep` [N]; any subset.
///
/// | name | what |
/// | --- | --- |
/// | vae.moments, vae.mask_latent | moments for the mask (KL only); scaled latent |
/// | vae.decoded | the mask's latent decoded, not clamped (KL only) |
/// | latent_encoder.moments, latent_encoder.latent | the same for the image |
/// | diffusion.noisy_latent | the mask's latent with `input.noise` added, at `input.timestep` |
/// | unet.output | of the image's latent and the noisy latent |
/// | vae.NAME, latent_encoder.NAME, unet.NAME | the output of a module in these passes |
/// | pipeline.TYPE.STEPS [N, 1, R, R] | probability, from `input.noise`, for a prediction type |
///
/// Each pass starts from recorded latents where there are any, so that a deviation shows in the
/// network that makes it. Throws Error for inputs that the model cannot take.
io::TensorMap compute_activations(const TrainingModel& model, const io::TensorMap& recorded,
                                  const SegmenterOptions& options = {});

/// How a recorded tensor compares with ours.
struct Comparison {
  std::string name;
  std::vector<std::int64_t> shape;  ///< theirs
  /// Relative error; nothing when ours is missing or of another shape.
  std::optional<double> error;
  /// "ok", "MISS", "MISS: ours has the shape [...]", "not computed".
  std::string verdict;

  bool missed() const { return verdict.starts_with("MISS"); }
};

/// One row for each recorded tensor that is no input, sorted by name.
std::vector<Comparison> compare_activations(const io::TensorMap& computed,
                                            const io::TensorMap& recorded, double tolerance);

/// The relative error that is to be expected of a model folder's weights: 1e-4 where they are
/// stored in float32, 5e-3 in float16, 3e-2 in bfloat16 (or where the arithmetic is).
double expected_tolerance(const std::filesystem::path& folder, Precision precision);

}  // namespace leaf
