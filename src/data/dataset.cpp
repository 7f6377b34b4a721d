#include "leaf/data/dataset.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include "data/transforms.h"
#include "volume_pairs.h"

namespace leaf::data {
namespace {

DecodedSample resized(const LoadedPair& pair, std::int64_t resolution) {
  const ImageSize size = size_of(pair.image.rgb);
  return {resize_image(pair.image.rgb, resolution), resize_mask_nearest(pair.labels, resolution),
          pair.ignored.defined() ? resize_mask_nearest(pair.ignored, resolution) : at::Tensor(),
          size.height, size.width};
}

Sample to_sample(const DecodedSample& decoded, const std::string& name) {
  return {to_tensor(decoded.image), decoded.mask.to(at::kFloat).unsqueeze(0),
          decoded.ignored,          name,
          decoded.height,           decoded.width};
}

bool has_target(const at::Tensor& labels) {
  const auto* begin = labels.const_data_ptr<std::uint8_t>();
  return std::any_of(begin, begin + labels.numel(), [](std::uint8_t label) { return label != 0; });
}

}  // namespace

/// Keeps samples until the room is used up. Nothing is ever thrown out: every epoch visits every
/// sample once in random order, so that an older sample is worth as much as a newer one.
struct Dataset::Cache {
  Cache(std::size_t count, const DataConfig& config)
      : samples(count),
        room(config.cache_mb * 1'000'000),
        masks(count),
        volumes(config.slice_axis) {}

  std::mutex mutex;
  std::vector<std::optional<DecodedSample>> samples;
  std::int64_t room;
  MaskCensus masks;
  VolumeShelf volumes;
  std::mutex whole_volume;  ///< held while all slices of one are decoded

  std::optional<DecodedSample> find(std::size_t index) {
    const std::lock_guard lock(mutex);
    return samples[index];
  }

  static std::int64_t bytes_of(const DecodedSample& sample) {
    const std::size_t ignored = sample.ignored.defined() ? sample.ignored.nbytes() : 0;
    return static_cast<std::int64_t>(sample.image.nbytes() + sample.mask.nbytes() + ignored);
  }

  /// Nothing is kept from now on where this is false.
  bool is_open() {
    const std::lock_guard lock(mutex);
    return room > 0;
  }

  /// For another like this one.
  bool has_room(const DecodedSample& sample) {
    const std::lock_guard lock(mutex);
    return bytes_of(sample) <= room;
  }

  void keep(std::size_t index, const DecodedSample& sample) {
    const std::int64_t bytes = bytes_of(sample);
    const std::lock_guard lock(mutex);
    if (!samples[index] && bytes <= room) {
      samples[index] = sample;
      room -= bytes;
    } else if (!samples[index]) {
      room = 0;  // samples are all of one size
    }
  }
};

Dataset::Dataset(std::vector<Pair> pairs, DataConfig config)
    : pairs_(std::move(pairs)),
      config_(std::move(config)),
      cache_(std::make_unique<Cache>(pairs_.size(), config_)) {}

Dataset::~Dataset() = default;
Dataset::Dataset(Dataset&&) noexcept = default;
Dataset& Dataset::operator=(Dataset&&) noexcept = default;

DecodedSample Dataset::decoded(std::size_t index) const {
  if (std::optional<DecodedSample> kept = cache_->find(index)) {
    return *std::move(kept);
  }
  if (pairs_.at(index).slice && cache_->is_open()) {
    return decoded_with_neighbours(index);
  }
  const DecodedSample sample = resized(read(index), config_.resolution);
  cache_->keep(index, sample);
  return sample;
}

/// All slices of a volume are kept when the first is asked for: in random order each would have the
/// volume read anew.
DecodedSample Dataset::decoded_with_neighbours(std::size_t index) const {
  const std::lock_guard lock(cache_->whole_volume);
  if (std::optional<DecodedSample> kept = cache_->find(index)) {  // by another thread
    return *std::move(kept);
  }
  DecodedSample sample = resized(read(index), config_.resolution);
  cache_->keep(index, sample);
  const auto is_beside = [&](std::size_t i) { return pairs_[i].image == pairs_[index].image; };
  std::size_t first = index;
  while (first > 0 && is_beside(first - 1)) {
    --first;
  }
  for (std::size_t i = first; i < pairs_.size() && is_beside(i) && cache_->has_room(sample); ++i) {
    if (i != index && !cache_->find(i)) {
      cache_->keep(i, resized(read(i), config_.resolution));
    }
  }
  return sample;
}

Sample Dataset::load(std::size_t index) const {
  return to_sample(decoded(index), pairs_.at(index).name);
}

FullSample Dataset::load_full(std::size_t index) const {
  LoadedPair pair = read(index);
  const DecodedSample sample = resized(pair, config_.resolution);
  return {to_sample(sample, pairs_.at(index).name), std::move(pair)};
}

LoadedPair Dataset::read(std::size_t index) const {
  LoadedPair pair = load_pair(pairs_.at(index), config_, cache_->volumes);
  cache_->masks.add(index, pair.remarks, has_target(pair.labels));
  return pair;
}

MaskCensus& Dataset::masks() const { return cache_->masks; }

}  // namespace leaf::data
