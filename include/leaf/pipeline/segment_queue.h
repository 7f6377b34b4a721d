#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "leaf/core/error.h"
#include "leaf/pipeline/segment_file.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// As many images wait as may: later there is room again.
class QueueFullError : public Error {
 public:
  using Error::Error;
};

/// An image's time was over before it was segmented.
class TimeoutError : public Error {
 public:
  using Error::Error;
};

struct SegmentQueueOptions {
  /// Of these, tiling has no place here.
  MaskOptions mask = {};
  /// Images that the network sees at once, at most; 1 or more.
  std::int64_t batch_size = 1;
  /// How long the first image of a batch waits for others.
  std::chrono::milliseconds max_wait{5};
  /// Images that may be at work at a time, waiting ones included; 1 or more.
  std::size_t capacity = 64;
  /// Called with the size of each batch, by the thread that runs the network.
  std::function<void(std::size_t images)> on_batch = [](std::size_t) {};
};

/// An image to be segmented; what it refers to must outlive the call.
struct QueuedImage {
  std::string_view bytes;  ///< of the file
  std::string title;       ///< what errors call it
  std::string name;        ///< a file's name without extension: its starting noise follows from it
  std::chrono::steady_clock::time_point deadline;
};

/// A segmented image: the mask fits the displayed picture; as_stored() turns it.
struct SegmentedImage {
  Segmentation displayed;
  int orientation = 1;
};

/// Segments images for several threads at once. Images are decoded, and their results used, by
/// workers, as many as LibTorch's operators use threads; one thread runs the network, with what has
/// come in the meantime as a batch. The masks are those of segment_image(), on a CPU to the bit.
class SegmentQueue {
 public:
  using Use = std::function<void(const SegmentedImage& image)>;

  /// The segmenter must outlive the queue. Throws ConfigError for options that do not go together.
  SegmentQueue(const Segmenter& segmenter, const SegmentQueueOptions& options);
  /// No other thread may be in segment() any more.
  ~SegmentQueue();
  SegmentQueue(const SegmentQueue&) = delete;
  SegmentQueue& operator=(const SegmentQueue&) = delete;

  /// Segments an image and calls `use` with the result, in a worker; waits until that is done.
  /// Throws QueueFullError, TimeoutError, DataError (naming the image's title) for an image that
  /// cannot be read or has no finite result, and what `use` throws. May be called from several
  /// threads at once.
  void segment(const QueuedImage& image, const Use& use);

  /// Images at work, waiting ones included.
  std::size_t size() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace leaf
