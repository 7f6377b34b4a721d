#include "leaf/pipeline/segment_queue.h"

#include <ATen/ATen.h>

#include <atomic>
#include <exception>
#include <future>
#include <utility>
#include <vector>

#include "core/batch_queue.h"
#include "core/workers.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "pipeline/mask_codec.h"

namespace leaf {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void refuse_late() {
  throw TimeoutError("the image was not segmented in time; try again when less is asked for");
}

/// One of the places of a queue, for as long as this lives.
class Place {
 public:
  Place(std::atomic<std::size_t>& taken, std::size_t capacity) : taken_(taken) {
    if (taken_.fetch_add(1) >= capacity) {
      --taken_;
      throw QueueFullError(str(capacity, " images are at work, as many as may; try again later"));
    }
  }
  ~Place() { --taken_; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::atomic<std::size_t>& taken_;
};

const SegmentQueueOptions& checked(const SegmentQueueOptions& options,
                                   const data::MaskClasses& classes) {
  check_mask_options(options.mask, classes);
  if (options.mask.tiling) {
    throw ConfigError("a queue of images has no tiles; leave the tiling out");
  }
  if (options.batch_size < 1 || options.capacity < 1) {
    throw ConfigError("a queue of images needs a batch size and a capacity of 1 or more");
  }
  return options;
}

}  // namespace

struct SegmentQueue::Parts {
  /// What the network needs of an image.
  struct NetworkInput {
    at::Tensor image;  ///< [3,R,R]
    std::string name;
    Clock::time_point deadline;
  };

  Parts(const Segmenter& the_segmenter, const SegmentQueueOptions& the_options)
      : segmenter(the_segmenter),
        options(checked(the_options, segmenter.classes())),
        network({.batch_size = static_cast<std::size_t>(options.batch_size),
                 .max_wait = options.max_wait},
                [this](const std::vector<NetworkInput>& inputs) { return run_network(inputs); }) {}

  /// The probability [C,R,R] of each input; undefined of those whose time is over.
  std::vector<at::Tensor> run_network(const std::vector<NetworkInput>& inputs) const {
    std::vector<at::Tensor> images;
    ImageNames names;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (Clock::now() < inputs[i].deadline) {
        images.push_back(inputs[i].image);
        names.push_back(inputs[i].name);
        places.push_back(i);
      }
    }
    std::vector<at::Tensor> results(inputs.size());
    if (!images.empty()) {
      options.on_batch(images.size());
      const at::Tensor probability =
          ensemble_probability(segmenter, at::stack(images), names, options.mask);
      for (std::size_t row = 0; row < places.size(); ++row) {
        results[places[row]] = probability[static_cast<std::int64_t>(row)];
      }
    }
    return results;
  }

  /// Runs a task in a worker and waits for its end; throws what it throws.
  void in_worker(Clock::time_point deadline, const std::function<void()>& task) {
    const auto done = std::make_shared<std::promise<void>>();
    std::future<void> end = done->get_future();
    workers.run([done, deadline, &task] {
      try {
        if (Clock::now() >= deadline) {
          refuse_late();
        }
        task();
        done->set_value();
      } catch (...) {
        done->set_exception(std::current_exception());
      }
    });
    end.get();
  }

  at::Tensor probability_of(at::Tensor input, const QueuedImage& image) {
    std::future<at::Tensor> result = network.submit({std::move(input), image.name, image.deadline});
    if (result.wait_until(image.deadline) == std::future_status::timeout) {
      refuse_late();
    }
    at::Tensor probability = result.get();
    if (!probability.defined()) {
      refuse_late();
    }
    return probability;
  }

  void segment(const QueuedImage& image, const Use& use) {
    const Place place(taken, options.capacity);
    PreparedFile file;
    in_worker(image.deadline, [&] {
      file = prepare_image(segmenter,
                           data::decode_image(image.bytes, image.title, segmenter.image_options()));
    });
    const at::Tensor probability = probability_of(std::exchange(file.input, {}), image);
    in_worker(image.deadline, [&] {
      require_finite(probability, image.title);
      use({finish_file(segmenter, file, probability, options.mask), file.orientation});
    });
  }

  const Segmenter& segmenter;
  const SegmentQueueOptions options;
  std::atomic<std::size_t> taken = 0;
  Workers workers;
  BatchQueue<NetworkInput, at::Tensor> network;  ///< last: its thread uses the others
};

SegmentQueue::SegmentQueue(const Segmenter& segmenter, const SegmentQueueOptions& options)
    : parts_(std::make_unique<Parts>(segmenter, options)) {}

SegmentQueue::~SegmentQueue() = default;

void SegmentQueue::segment(const QueuedImage& image, const Use& use) {
  parts_->segment(image, use);
}

std::size_t SegmentQueue::size() const { return parts_->taken; }

}  // namespace leaf
