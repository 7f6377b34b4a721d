#pragma once

#include <ATen/core/TensorBody.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hash.h"
#include "leaf/config/config.h"

namespace leaf {

/// What frozen networks make of an image and its mask, or of a batch of them: tensors in an order
/// that their maker states, of one sample without the batch's dimension. Any but the first may be
/// undefined, for all samples alike.
using Features = std::vector<at::Tensor>;

/// 128 bits that stand for the pixels of an image and its mask, as the networks get them.
using FeatureKey = Hash128;

/// The key of one sample: float32 [3, R, R] and [1, R, R], contiguous on the CPU.
FeatureKey feature_key(const at::Tensor& image, const at::Tensor& mask);

/// Features of single samples, on the CPU, by key. What is kept is given back as it was, or not at
/// all. For one thread.
class FeatureStore {
 public:
  virtual ~FeatureStore() = default;

  virtual std::optional<Features> find(const FeatureKey& key) = 0;
  /// Returns false, having done nothing, once there is no room. A file takes what
  /// FeatureLayout::is_storable and what has the form of its first.
  virtual bool keep(const FeatureKey& key, const Features& features) = 0;
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

/// What every network's values follow from besides itself and its input: this program, the machine,
/// the configuration's precision and resolution, and how many samples the networks get at a time.
std::string arithmetic_identity(const Config& config, c10::Device device, std::int64_t group);

/// The store that a configuration asks for; null for `off`, and, which is said, where no sample
/// ever comes twice (data.augment, but for quarter turns). `identity` is called for a file alone.
std::unique_ptr<FeatureStore> make_feature_store(const Config& config,
                                                 const std::function<std::string()>& identity);

}  // namespace leaf
