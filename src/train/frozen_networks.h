#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "feature_store.h"
#include "leaf/config/config.h"
#include "models/autoencoder.h"
#include "models/teacher.h"
#include "pipeline/mask_codec.h"

namespace leaf {

/// The places of what FrozenNetworks make in their Features.
enum FrozenFeature : std::size_t {
  kMaskLatents,   ///< float32 [N, L, r, r], scaled
  kTeacherTokens  ///< [N, T, D]; undefined without a teacher
};

/// The networks of a segmentation task that do not learn: what encodes masks, and the teacher.
class FrozenNetworks {
 public:
  /// `teacher` is null without alignment.
  FrozenNetworks(const Config& config, c10::Device device,
                 std::shared_ptr<models::Autoencoder> autoencoder,
                 std::shared_ptr<models::Teacher> teacher);

  /// Where the run computes in bfloat16, stores weights in it, once for all steps: those of the
  /// teacher, and of a copy of the mask's encoder, since the autoencoder itself is saved with the
  /// model. To be called once both are on the device. Results stay the same to the bit.
  void round_weights();

  /// images [N, 3, R, R] in [0, 1], masks [N, 1, R, R] on the CPU -> what they make of them.
  Features features(const at::Tensor& images, const at::Tensor& masks) const;

  /// Everything that those values follow from besides images and masks.
  std::string identity() const;

  /// How many samples they get at a time.
  std::int64_t group() const;

  /// The latents to learn [N, L, r, r], scaled: the features' own, or a sample of each that follows
  /// from seed, step and place in the batch (diffusion.mask_latent).
  at::Tensor latents(const Features& features, std::int64_t step) const;

 private:
  bool samples() const;
  std::string coding_identity() const;
  at::Tensor mask_latents(const at::Tensor& masks) const;

  Config config_;
  c10::Device device_;
  MaskCodec codec_;
  std::shared_ptr<models::Autoencoder> autoencoder_;
  std::shared_ptr<models::LatentEncoder> encoder_;  ///< the autoencoder's, or a rounded copy
  std::shared_ptr<models::Teacher> teacher_;
};

}  // namespace leaf
