#include "leaf/pipeline/folder_inference.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "audit_log.h"
#include "core/prefetcher.h"
#include "image_work.h"
#include "leaf/core/stopwatch.h"
#include "output_files.h"
#include "tiles.h"
#include "volume_slices.h"

namespace leaf {
namespace {

/// A call of infer_inputs(). The calling thread runs the network; workers read the images that come
/// next and write the masks of those before.
class FolderInference {
 public:
  FolderInference(const Segmenter& segmenter, const FolderInferenceOptions& options,
                  InferenceReport& report, const InferenceHooks& hooks)
      : segmenter_(segmenter),
        options_(options),
        tiling_(options.mask.tiling),
        report_(report),
        hooks_(hooks),
        audit_(segmenter, options),
        worker_(segmenter, options, audit_, watch_),
        batch_size_(static_cast<std::size_t>(
            options.batch_size == kAutoBatch ? segmenter.images_at_once() : options.batch_size)),
        written_(workers_) {
    report.run = audit_.run();
    report.audit_begin = audit_.begin();
  }

  void run(const NextInputs& next) {
    for (inputs_ = next(); !inputs_.empty() && !report_.interrupted; inputs_ = next()) {
      reported_ = 0;
      infer();
    }
  }

 private:
  void infer() {
    // Of images that are cut into tiles, whose pixels are kept, one is at work and one read ahead.
    // Others take a few megabytes where no overlay wants their pixels: so many a worker are at hand
    // that one of 24 million pixels, which takes ten times as long, keeps nobody waiting.
    constexpr std::size_t kSmallPerWorker = 6;
    const bool keeps_pixels = options_.overlays != OverlayStyle::kNone;
    const std::size_t spare = (keeps_pixels ? 1 : kSmallPerWorker) * workers_.count();
    const std::size_t ahead = tiling_ ? 1 : batch_size_ + spare;
    const std::size_t behind = tiling_ ? 1 : spare;
    Prefetcher<ImageWork> loaded(workers_, {.first = 0, .end = inputs_.size()}, ahead,
                                 [this](std::size_t i) { return worker_.load(inputs_[i]); });
    for (std::size_t begun = 0; begun < inputs_.size() && !report_.interrupted;) {
      std::vector<ImageWork> batch;
      std::optional<ImageWork> alone;
      for (; batch.size() < batch_size_ && !alone && begun < inputs_.size(); ++begun) {
        ImageWork next = loaded.next();
        if (tiling_ || next.volume) {
          alone = std::move(next);
        } else {
          batch.push_back(std::move(next));
        }
      }
      if (!batch.empty()) {
        segment(std::move(batch));
      }
      const bool large = alone && alone->volume;
      if (alone) {
        segment_alone(*std::move(alone));
      }
      deliver(large ? 0 : behind);
      report_.interrupted |= begun < inputs_.size() && hooks_.stop();
    }
    finish();
    deliver(0);
  }

  /// A batch that the network has begun.
  struct Begun {
    std::vector<ImageWork> batch;
    PendingProbability probability;
    double images = 0;
    Stopwatch watch;
  };

  /// Begins the network for all usable images of a batch.
  void segment(std::vector<ImageWork> batch) {
    std::vector<at::Tensor> inputs;
    ImageNames names;
    for (const ImageWork& loaded : batch) {
      if (loaded.usable()) {
        inputs.push_back(loaded.file.input);
        names.push_back(loaded.input.name.generic_string());
      }
    }
    Begun next{.batch = std::move(batch),
               .probability = [] { return at::Tensor(); },
               .images = static_cast<double>(inputs.size()),
               .watch = {}};
    if (!inputs.empty()) {
      next.probability = begin_network(at::stack(inputs), names);
    }
    finish();
    begun_ = std::move(next);
    if (!options_.run_ahead) {
      finish();
    }
  }

  /// Hands the images of the batch that is begun, where there is one, on to be written.
  void finish() {
    std::optional<Begun> begun = std::exchange(begun_, std::nullopt);
    if (!begun) {
      return;
    }
    const at::Tensor probability = begun->probability();
    const double share = 1000 * begun->watch.seconds() / begun->images;
    std::int64_t row = 0;
    for (ImageWork& loaded : begun->batch) {
      loaded.file.input.reset();
      at::Tensor result;
      if (loaded.usable()) {
        loaded.report.milliseconds = share;
        result = probability[row++];
      }
      hand_on(std::move(loaded), result);
    }
  }

  /// The same for what the network sees piece by piece.
  void segment_alone(ImageWork loaded) {
    finish();
    if (loaded.volume) {
      segment_volume(std::move(loaded));
    } else {
      segment_in_tiles(std::move(loaded));
    }
  }

  /// run_network() for pieces of an image or a volume: the work may end between them.
  RunNetwork piecewise() {
    return [this](const at::Tensor& inputs, const ImageNames& names) {
      return hooks_.stop() ? at::Tensor() : run_network(inputs, names);
    };
  }

  void segment_volume(ImageWork loaded) {
    const Stopwatch watch;
    try {
      loaded.result = segment_slices(
          segmenter_, *loaded.volume, loaded.input.name.generic_string(), options_.mask,
          {.probability = wants_probability(options_), .batch = batch_size_, .run = piecewise()});
      if (!loaded.result.labels.defined()) {
        report_.interrupted = true;
        return;
      }
    } catch (const std::exception& failure) {
      worker_.fail(loaded.input, loaded.report, failure);
    }
    loaded.report.milliseconds = 1000 * watch.seconds();
    hand_on(std::move(loaded), {});
  }

  void segment_in_tiles(ImageWork loaded) {
    at::Tensor probability;
    if (loaded.usable()) {
      const Stopwatch watch;
      const TileGrid grid(segmenter_, loaded.file.rgb, *tiling_);
      const std::string name = loaded.input.name.generic_string();
      probability =
          tiled_probability(segmenter_, loaded.file.rgb, name, grid, batch_size_, piecewise());
      if (!probability.defined()) {
        report_.interrupted = true;
        return;
      }
      if (options_.overlays == OverlayStyle::kNone) {
        loaded.file.rgb.reset();
      }
      loaded.report.tiles = grid.count();
      loaded.report.milliseconds = 1000 * watch.seconds();
    }
    hand_on(std::move(loaded), probability);
  }

  void hand_on(ImageWork loaded, const at::Tensor& probability) {
    written_.submit([this, loaded = std::move(loaded), probability] {
      return worker_.write(loaded, probability);
    });
  }

  /// run_network(), whose result may come later.
  PendingProbability begin_network(const at::Tensor& inputs, const ImageNames& names) {
    if (options_.run_ahead && options_.mask.seeds == 1) {
      try {
        return segmenter_.begin(inputs, names);
      } catch (const c10::OutOfMemoryError&) {  // run_network knows what to do
        finish();
      }
    }
    return [result = run_network(inputs, names)] { return result; };
  }

  /// inputs [N,3,R,R] -> [N,C,R,R]
  at::Tensor run_network(const at::Tensor& inputs, const ImageNames& names) {
    const std::int64_t count = inputs.size(0);
    try {
      return ensemble_probability(segmenter_, inputs, names, options_.mask);
    } catch (const c10::OutOfMemoryError&) {
      if (options_.batch_size != kAutoBatch || count == 1) {
        throw;
      }
    }
    const std::int64_t half = count / 2;
    batch_size_ = static_cast<std::size_t>(half);
    const auto middle = names.begin() + half;
    return at::cat({run_network(inputs.narrow(0, 0, half), {names.begin(), middle}),
                    run_network(inputs.narrow(0, half, count - half), {middle, names.end()})});
  }

  /// Reports what is written, in the order of the inputs, until at most `pending` images are not.
  void deliver(std::size_t pending) {
    while (written_.ready() || written_.size() > pending) {
      const ImageReport image = written_.take();
      audit_.append(inputs_[reported_++], image);
      count(image);
      hooks_.on_image(image);
    }
  }

  void count(const ImageReport& image) {
    report_.seconds = watch_.seconds();
    if (!image.error.empty()) {
      ++report_.failed;
    } else if (image.skipped()) {
      ++report_.skipped;
    } else {
      report_.first_mask_seconds =
          report_.done == 0 ? image.written_seconds : report_.first_mask_seconds;
      ++report_.done;
      if (image.earlier != EarlierMask::kNone) {
        ++report_.redone[image.earlier];
      }
    }
  }

  const Segmenter& segmenter_;
  const FolderInferenceOptions& options_;
  const std::optional<Tiling>& tiling_;
  std::vector<InferenceInput> inputs_;  ///< those at work
  InferenceReport& report_;
  const InferenceHooks& hooks_;
  const Stopwatch watch_;
  AuditLog audit_;
  const ImageWorker worker_;
  std::size_t batch_size_;
  std::optional<Begun> begun_;
  std::size_t reported_ = 0;
  Workers workers_;
  OrderedResults<ImageReport> written_;
};

}  // namespace

void infer_inputs(const Segmenter& segmenter, const NextInputs& next,
                  const FolderInferenceOptions& options, InferenceReport& report,
                  const InferenceHooks& hooks) {
  check_mask_options(options.mask, segmenter.classes());
  FolderInference(segmenter, options, report, hooks).run(next);
}

void infer_folder(const Segmenter& segmenter, const std::vector<InferenceInput>& inputs,
                  const FolderInferenceOptions& options, InferenceReport& report,
                  const InferenceHooks& hooks) {
  bool given = false;
  const auto once = [&] {
    return std::exchange(given, true) ? std::vector<InferenceInput>() : inputs;
  };
  infer_inputs(segmenter, once, options, report, hooks);
}

}  // namespace leaf
