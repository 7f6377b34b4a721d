#include "feature_store.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <map>

#include "core/memory.h"
#include "hash.h"
#include "leaf/core/cpu_allocator.h"
#include "leaf/core/enum_names.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/train/process_group.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// In memory.
std::int64_t size_of(const Features& features) {
  std::size_t bytes = 0;
  for (const at::Tensor& tensor : features) {
    bytes += tensor.defined() ? allocated_bytes(tensor.nbytes()) : 0;
  }
  return static_cast<std::int64_t>(bytes);
}

/// Nothing is ever thrown out: every epoch visits every sample.
class MemoryStore : public FeatureStore {
 public:
  explicit MemoryStore(std::int64_t bytes) : limit_(bytes), room_(bytes) {}

  std::optional<Features> find(const FeatureKey& key) override {
    const auto found = kept_.find(key);
    return found == kept_.end() ? std::nullopt : std::optional(found->second);
  }

  bool keep(const FeatureKey& key, const Features& features) override {
    const std::int64_t bytes = size_of(features);
    if (bytes > room_) {
      return kept_.contains(key);
    }
    room_ -= kept_.emplace(key, features).second ? bytes : 0;
    return true;
  }

  void start_anew() override {
    kept_.clear();
    room_ = limit_;
  }

 private:
  std::int64_t limit_;
  std::int64_t room_;
  std::map<FeatureKey, Features> kept_;
};

/// A quarter of what is free, where the configuration does not say.
std::int64_t limit(const TrainSection& train, double free_bytes) {
  constexpr double kShare = 0.25;
  return train.feature_cache_mb > 0 ? train.feature_cache_mb * 1'000'000
                                    : static_cast<std::int64_t>(kShare * free_bytes);
}

std::unique_ptr<FeatureStore> file_store(const Config& config, const std::string& identity) {
  fs::path folder = config.train.feature_cache_dir;
  if (folder.empty()) {
    folder = config.output.dir.parent_path() / "feature-cache";
  }
  make_folder(folder);
  const std::int64_t bytes = limit(config.train, static_cast<double>(fs::space(folder).available));
  log::info(str("what the frozen networks give is kept in ", folder.string(), ", up to ",
                bytes_text(static_cast<double>(bytes))));
  return make_file_store({.folder = folder, .identity = identity, .bytes = bytes});
}

}  // namespace

FeatureKey feature_key(const at::Tensor& image, const at::Tensor& mask) {
  Hasher hasher;
  hasher.add(image);
  hasher.add(mask);
  return hasher.digest();
}

std::string arithmetic_identity(const Config& config, c10::Device device, std::int64_t group) {
  return leaf::str("leaf ", version(), ", LibTorch ", TORCH_VERSION, ", ", device.type(), " ",
                   at::get_cpu_capability(), ", ", at::get_num_threads(), " threads, ",
                   enum_text(config.train.mixed_precision), ", groups of ", group, ", ",
                   config.data.resolution, " pixels");
}

std::unique_ptr<FeatureStore> make_memory_store(std::int64_t bytes) {
  return std::make_unique<MemoryStore>(bytes);
}

std::unique_ptr<FeatureStore> make_feature_store(const Config& config,
                                                 const std::function<std::string()>& identity) {
  if (config.train.feature_cache != FeatureCache::kOff && config.data.augment.is_continuous()) {
    log::info(
        "TrainSection::feature_cache is not used: with DataConfig::augment no sample comes twice");
    return nullptr;
  }
  switch (config.train.feature_cache) {
    case FeatureCache::kOff:
      return nullptr;
    case FeatureCache::kDisk:
      return file_store(config, identity());
    case FeatureCache::kMemory:
      break;
  }
  // Processes side by side share what is free.
  const double free_bytes = available_memory_bytes().value_or(0) / process_place().local_count;
  return make_memory_store(limit(config.train, free_bytes));
}

}  // namespace leaf
