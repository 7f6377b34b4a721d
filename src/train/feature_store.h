#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hash.h"
#include "leaf/config/config.h"

namespace leaf {

/// What the frozen networks make of images and their masks.
struct FrozenFeatures {
  at::Tensor mask_latents;    ///< float32 [N, L, r, r], scaled; of one sample [L, r, r]
  at::Tensor teacher_tokens;  ///< [N, T, D], of one sample [T, D]; undefined without a teacher
};

/// 128 bits that stand for the pixels of an image and its mask, as the networks get them.
using FeatureKey = Hash128;

/// The key of one sample: float32 [3, R, R] and [1, R, R], contiguous on the CPU.
FeatureKey feature_key(const at::Tensor& image, const at::Tensor& mask);

/// Features of single samples, on the CPU, by key. What is kept is given back as it was, or not at
/// all. For one thread.
class FeatureStore {
 public:
  virtual ~FeatureStore() = default;

  virtual std::optional<FrozenFeatures> find(const FeatureKey& key) = 0;
  /// Does nothing once there is no room.
  virtual void keep(const FeatureKey& key, const FrozenFeatures& features) = 0;
  /// Drops what is kept: another network's, as it turned out.
  virtual void start_anew() = 0;
};

std::unique_ptr<FeatureStore> make_memory_store(std::int64_t bytes);

/// What a file of features depends on besides the samples: 128 bits of a text.
struct FeatureFileOptions {
  std::filesystem::path folder;
  std::string identity;  ///< every fact that the values follow from, the weights' hashes among them
  std::int64_t bytes;    ///< that the files of the folder may have in all
};

/// Keeps them in a file of the folder, which several programs may use at a time and which is
/// mapped, not read. Every record has a checksum: half-written and damaged ones count as missing. A
/// file that cannot be used is said once; then nothing is kept.
std::unique_ptr<FeatureStore> make_file_store(const FeatureFileOptions& options);

/// The store that a configuration asks for; null for `off`, and, which is said, where no sample
/// ever comes twice (data.augment, but for quarter turns). `identity` is called for a file alone.
std::unique_ptr<FeatureStore> make_feature_store(const Config& config,
                                                 const std::function<std::string()>& identity);

}  // namespace leaf
