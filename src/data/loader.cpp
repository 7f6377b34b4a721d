#include "leaf/data/loader.h"

#include <ATen/ATen.h>

#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <variant>

#include "leaf/core/error.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/data/transforms.h"

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
    copy_to(batch.images, i, flip(sample.image, horizontal, vertical));
    copy_to(batch.masks, i, flip(sample.mask, horizontal, vertical));
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

}  // namespace

/// Threads that take one step after another and leave what they made, batch or exception, under its
/// number. They stay at most a few steps ahead of the consumer.
class Loader::Workers {
 public:
  Workers(const Dataset& dataset, const LoaderOptions& options, std::int64_t first_step)
      : dataset_(dataset), options_(options), next_to_make_(first_step), next_to_give_(first_step) {
    for (std::int64_t i = 0; i < options.num_workers; ++i) {
      threads_.emplace_back([this] { work(); });
    }
  }

  ~Workers() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    room_.notify_all();
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }

  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// Waits for the batch of `step`; rethrows what was thrown while it was made, as often as asked.
  Batch take(std::int64_t step) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return done_.contains(step); });
    if (const auto* failure = std::get_if<std::exception_ptr>(&done_.at(step))) {
      std::rethrow_exception(*failure);
    }
    Batch batch = std::get<Batch>(std::move(done_.at(step)));
    done_.erase(step);
    next_to_give_ = step + options_.stride;
    room_.notify_all();
    return batch;
  }

 private:
  using Outcome = std::variant<Batch, std::exception_ptr>;

  void work() {
    for (;;) {
      std::int64_t step = 0;
      {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [this] { return stopping_ || next_to_make_ < next_to_give_ + ahead(); });
        if (stopping_) {
          return;
        }
        step = std::exchange(next_to_make_, next_to_make_ + options_.stride);
      }
      Outcome outcome = make(step);
      const std::lock_guard lock(mutex_);
      done_.emplace(step, std::move(outcome));
      ready_.notify_all();
    }
  }

  Outcome make(std::int64_t step) const {
    try {
      return make_byte_batch(dataset_, options_, step);
    } catch (...) {
      return std::current_exception();
    }
  }

  std::int64_t ahead() const { return (options_.num_workers + 2) * options_.stride; }

  const Dataset& dataset_;
  const LoaderOptions options_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable ready_;
  std::map<std::int64_t, Outcome> done_;
  std::int64_t next_to_make_;
  std::int64_t next_to_give_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

Loader::Loader(const Dataset& dataset, const LoaderOptions& options, std::int64_t first_step)
    : dataset_(dataset), options_(options), step_(first_step) {
  if (options.batch_size < 1) {
    throw ConfigError(
        str("train.train_batch_size is ", options.batch_size, "; it must be at least 1"));
  }
  if (batches_per_epoch() == 0) {
    throw DataError(str("the train part has ", dataset.size(), " images, fewer than one batch of ",
                        options.batch_size, "; lower train.train_batch_size or add images"));
  }
  if (options.num_workers > 0) {
    workers_ = std::make_unique<Workers>(dataset_, options_, first_step);
  }
}

Loader::~Loader() = default;

Batch Loader::next() {
  Batch batch = workers_ ? workers_->take(step_) : make_byte_batch(dataset_, options_, step_);
  step_ += options_.stride;
  return to_float(std::move(batch));
}

std::int64_t Loader::batches_per_epoch() const {
  return static_cast<std::int64_t>(dataset_.size()) / options_.batch_size;
}

}  // namespace leaf::data
