#include "data/loader.h"

#include <ATen/ATen.h>

#include <cstring>
#include <utility>

#include "core/prefetcher.h"
#include "data/augment.h"
#include "data/transforms.h"
#include "leaf/core/error.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace {

/// The samples of a step: its place in the order of its epoch.
std::vector<std::size_t> step_indices(std::size_t count, const LoaderOptions& options,
                                      std::int64_t step) {
  const std::int64_t per_epoch = static_cast<std::int64_t>(count) / options.batch_size;
  const auto order =
      permutation(count, RandomStream(options.seed, Purpose::kShuffle, step / per_epoch));
  const auto begin = order.begin() + step % per_epoch * options.batch_size;
  return {begin, begin + options.batch_size};
}

void copy_to(const at::Tensor& batch, std::int64_t place, const at::Tensor& sample) {
  auto* target = batch.mutable_data_ptr<std::uint8_t>() + place * sample.numel();
  std::memcpy(target, sample.const_data_ptr(), sample.nbytes());
}

/// A batch as bytes: images [N,R,R,3], masks [N,1,R,R]. Threads make these with plain loops and
/// copies; the conversion to float, which LibTorch spreads over its own threads, is left to next().
Batch make_byte_batch(const Dataset& dataset, const LoaderOptions& options, std::int64_t step) {
  const std::int64_t side = dataset.config().resolution;
  Batch batch;
  batch.step = step;
  batch.images = at::empty({options.batch_size, side, side, 3}, at::kByte);
  batch.masks = at::empty({options.batch_size, 1, side, side}, at::kByte);
  batch.indices = step_indices(dataset.size(), options, step);
  for (std::int64_t i = 0; i < options.batch_size; ++i) {
    RandomStream draw(options.seed, Purpose::kFlip, step, i);
    const bool horizontal = draw.uniform() < options.horizontal_flip;
    const bool vertical = draw.uniform() < options.vertical_flip;
    const DecodedSample sample = dataset.decoded(batch.indices[i]);
    const Pixels pixels =
        augment({flip(sample.image, horizontal, vertical), flip(sample.mask, horizontal, vertical)},
                options.augment, RandomStream(options.seed, Purpose::kAugment, step, i));
    copy_to(batch.images, i, pixels.image);
    copy_to(batch.masks, i, pixels.mask);
    batch.names.push_back(dataset.pairs()[batch.indices[i]].name);
    batch.flips.push_back((horizontal ? 1 : 0) + (vertical ? 2 : 0));
  }
  return batch;
}

Batch to_float(Batch batch) {
  batch.images = to_tensor(batch.images);
  batch.masks = batch.masks.to(at::kFloat);
  return batch;
}

/// `threads` itself; throws ConfigError where the system allows fewer than are wanted.
Workers& require_all(Workers& threads, std::int64_t wanted) {
  if (static_cast<std::int64_t>(threads.count()) < wanted) {
    throw ConfigError(str("LoaderOptions::num_workers ", wanted, ": only ", threads.count(),
                          " threads could be started (the system allows no more); lower it"));
  }
  return threads;
}

}  // namespace

/// Batches made ahead; at most a few steps ahead of the consumer.
struct Loader::Workers {
  Workers(const Dataset& dataset, const LoaderOptions& options, std::int64_t first_step)
      : threads(static_cast<std::size_t>(options.num_workers)),
        batches(require_all(threads, options.num_workers), {}, threads.count() + 2,
                [&dataset, options, first_step](std::size_t i) {
                  return make_byte_batch(
                      dataset, options, first_step + static_cast<std::int64_t>(i) * options.stride);
                }) {}

  leaf::Workers threads;
  Prefetcher<Batch> batches;
};

Loader::Loader(const Dataset& dataset, const LoaderOptions& options, std::int64_t first_step)
    : dataset_(dataset), options_(options), step_(first_step) {
  if (options.batch_size < 1) {
    throw ConfigError(
        str("LoaderOptions::batch_size is ", options.batch_size, "; it must be at least 1"));
  }
  if (batches_per_epoch() == 0) {
    throw DataError(str("the train part has ", dataset.size(), " images, fewer than one batch of ",
                        options.batch_size, "; lower LoaderOptions::batch_size or add images"));
  }
  if (options.num_workers > 0) {
    workers_ = std::make_unique<Workers>(dataset_, options_, first_step);
  }
}

Loader::~Loader() = default;

Batch Loader::next() {
  Batch batch = workers_ ? workers_->batches.next() : make_byte_batch(dataset_, options_, step_);
  step_ += options_.stride;
  return to_float(std::move(batch));
}

std::int64_t Loader::batches_per_epoch() const {
  return static_cast<std::int64_t>(dataset_.size()) / options_.batch_size;
}

}  // namespace leaf::data
