#include "leaf/data/dataset.h"

#include <ATen/ATen.h>

#include <mutex>
#include <optional>
#include <utility>

#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/transforms.h"

namespace leaf::data {
namespace {

DecodedSample decode_sample(const Pair& pair, const DataConfig& config) {
  LoadedPair loaded = load_pair(pair, config);
  const ImageSize size = size_of(loaded.image.rgb);
  return {resize_image(loaded.image.rgb, config.resolution),
          resize_mask_nearest(loaded.target, config.resolution), size.height, size.width,
          std::move(loaded.mask_warning)};
}

}  // namespace

/// Keeps samples until the room is used up. Nothing is ever thrown out: every epoch visits every
/// sample once in random order, so that an older sample is worth as much as a newer one.
struct Dataset::Cache {
  Cache(std::size_t count, std::int64_t bytes) : samples(count), room(bytes) {}

  std::mutex mutex;
  std::vector<std::optional<DecodedSample>> samples;
  std::int64_t room;
  bool warned = false;

  std::optional<DecodedSample> find(std::size_t index) {
    const std::lock_guard lock(mutex);
    return samples[index];
  }

  void keep(std::size_t index, const DecodedSample& sample) {
    const auto bytes = static_cast<std::int64_t>(sample.image.nbytes() + sample.mask.nbytes());
    const std::lock_guard lock(mutex);
    if (!samples[index] && bytes <= room) {
      samples[index] = sample;
      room -= bytes;
    }
  }

  /// True for the first caller alone.
  bool take_warning() {
    const std::lock_guard lock(mutex);
    return !std::exchange(warned, true);
  }
};

Dataset::Dataset(std::vector<Pair> pairs, DataConfig config)
    : pairs_(std::move(pairs)),
      config_(std::move(config)),
      cache_(std::make_unique<Cache>(pairs_.size(), config_.cache_mb * 1'000'000)) {}

Dataset::~Dataset() = default;
Dataset::Dataset(Dataset&&) noexcept = default;
Dataset& Dataset::operator=(Dataset&&) noexcept = default;

DecodedSample Dataset::decoded(std::size_t index) const {
  if (std::optional<DecodedSample> kept = cache_->find(index)) {
    return *std::move(kept);
  }
  DecodedSample sample = decode_sample(pairs_.at(index), config_);
  if (!sample.mask_warning.empty() && cache_->take_warning()) {
    log::warn(sample.mask_warning);
  }
  cache_->keep(index, sample);
  return sample;
}

Sample Dataset::load(std::size_t index) const {
  const DecodedSample sample = decoded(index);
  return {to_tensor(sample.image), sample.mask.to(at::kFloat).unsqueeze(0), pairs_.at(index).name,
          sample.height, sample.width};
}

}  // namespace leaf::data
