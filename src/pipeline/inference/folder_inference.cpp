#include "leaf/pipeline/folder_inference.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "audit_log.h"
#include "core/prefetcher.h"
#include "data/exif.h"
#include "data/transforms.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/stopwatch.h"
#include "leaf/core/strings.h"
#include "leaf/data/volume.h"
#include "output_files.h"
#include "pipeline/mask_codec.h"
#include "tiles.h"
#include "volume_slices.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// An image ready for the network, or the reason why it is not.
struct Loaded {
  std::size_t index = 0;
  ImageReport report;
  PreparedFile file;
  std::shared_ptr<const data::Volume> volume;  ///< in place of `file`
  VolumeSegmentation result;                   ///< of it

  bool usable() const { return report.error.empty() && !report.skipped(); }
};

/// What was thrown as one line that names the image.
std::string failure_text(const fs::path& image, const std::exception& failure) {
  const std::string line = plain_message(failure);
  const bool named = line.find(image.string()) != std::string::npos;
  return named ? line : str("'", image.string(), "': ", line);
}

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
    const std::size_t ahead = tiling_ ? 1 : batch_size_ + workers_.count();
    const std::size_t behind = tiling_ ? 1 : workers_.count();
    Prefetcher<Loaded> loaded(workers_, {.first = 0, .end = inputs_.size()}, ahead,
                              [this](std::size_t i) { return load(i); });
    for (std::size_t begun = 0; begun < inputs_.size() && !report_.interrupted;) {
      std::vector<Loaded> batch;
      std::optional<Loaded> alone;
      for (; batch.size() < batch_size_ && !alone && begun < inputs_.size(); ++begun) {
        Loaded next = loaded.next();
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
    deliver(0);
  }

  /// Called by workers.
  Loaded load(std::size_t index) const {
    const InferenceInput& input = inputs_[index];
    Loaded loaded{.index = index, .report = {}, .file = {}, .volume = {}, .result = {}};
    loaded.report.input = input.image;
    loaded.report.output = mask_path(options_, input);
    loaded.report.error = input.refusal;
    try {
      if (options_.skip_existing && loaded.usable()) {
        loaded.report.earlier = audit_.earlier_mask(input);
      }
      if (loaded.usable()) {
        if (data::is_volume(input.image)) {
          loaded.volume = data::open_volume(input.image, options_.volumes);
        } else {
          loaded.file = prepare_file(
              segmenter_, input.image,
              {.input = !tiling_, .rgb = tiling_ || options_.overlays != OverlayStyle::kNone});
        }
        loaded.report.input_file = facts_of_file(input.image);
      }
    } catch (const std::exception& failure) {
      fail(input, loaded.report, failure);
    }
    return loaded;
  }

  /// Makes the failure the image's own. What an earlier call wrote would be taken for this image's.
  void fail(const InferenceInput& input, ImageReport& report, const std::exception& failure) const {
    report.error = failure_text(report.input, failure);
    std::error_code none;
    for (const fs::path& file : output_files(options_, input)) {
      const bool removed = !fs::is_directory(file, none) && fs::remove(file, none);
      if (removed && file == report.output) {
        report.error += "; its earlier mask was removed";
      }
    }
  }

  /// Runs the network once for all usable images and hands every image on to be written.
  void segment(std::vector<Loaded> batch) {
    std::vector<at::Tensor> inputs;
    ImageNames names;
    for (const Loaded& loaded : batch) {
      if (loaded.usable()) {
        inputs.push_back(loaded.file.input);
        names.push_back(inputs_[loaded.index].name.generic_string());
      }
    }
    const Stopwatch watch;
    const at::Tensor probability =
        inputs.empty() ? at::Tensor() : run_network(at::stack(inputs), names);
    const double share = 1000 * watch.seconds() / static_cast<double>(inputs.size());
    std::int64_t row = 0;
    for (Loaded& loaded : batch) {
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
  void segment_alone(Loaded loaded) {
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

  void segment_volume(Loaded loaded) {
    const Stopwatch watch;
    try {
      loaded.result = segment_slices(
          segmenter_, *loaded.volume, inputs_[loaded.index].name.generic_string(), options_.mask,
          {.probability = wants_probability(options_), .batch = batch_size_, .run = piecewise()});
      if (!loaded.result.labels.defined()) {
        report_.interrupted = true;
        return;
      }
    } catch (const DataError& failure) {
      fail(inputs_[loaded.index], loaded.report, failure);
    }
    loaded.report.milliseconds = 1000 * watch.seconds();
    hand_on(std::move(loaded), {});
  }

  void segment_in_tiles(Loaded loaded) {
    at::Tensor probability;
    if (loaded.usable()) {
      const Stopwatch watch;
      const TileGrid grid(segmenter_, loaded.file.rgb, *tiling_);
      const std::string name = inputs_[loaded.index].name.generic_string();
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

  void hand_on(Loaded loaded, const at::Tensor& probability) {
    written_.submit(
        [this, loaded = std::move(loaded), probability] { return write(loaded, probability); });
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

  /// From the network's probability, [C,R,R] or of tiles [C,H,W], to the files on the disk. Called
  /// by workers.
  ImageReport write(const Loaded& loaded, const at::Tensor& probability) const {
    ImageReport report = loaded.report;
    if (!loaded.usable()) {
      return report;
    }
    try {
      if (loaded.volume) {
        finish_volume(loaded, report);
      } else {
        require_finite(probability, report.input.string());
        finish(loaded, probability, report);
      }
      report.mask_file = facts_of_file(report.output);
      report.written_seconds = watch_.seconds();
    } catch (const DiskFullError&) {  // those after it have no room either
      throw;
    } catch (const std::exception& failure) {
      fail(inputs_[loaded.index], report, failure);
    }
    return report;
  }

  void finish(const Loaded& loaded, const at::Tensor& probability, ImageReport& report) const {
    const Stopwatch watch;
    const Segmentation displayed = finish_file(segmenter_, loaded.file, probability, options_.mask);
    report.milliseconds += 1000 * watch.seconds();
    const bool turned = loaded.file.orientation >= 5;
    report.height = displayed.mask.size(turned ? 1 : 0);
    report.width = displayed.mask.size(turned ? 0 : 1);
    report.foreground_fraction = static_cast<double>(displayed.mask.count_nonzero().item<long>()) /
                                 static_cast<double>(displayed.mask.numel());
    write_outputs(options_, segmenter_.classes(), inputs_[loaded.index], loaded.file, displayed);
  }

  void finish_volume(const Loaded& loaded, ImageReport& report) const {
    const at::Tensor& labels = loaded.result.labels;
    report.slices = labels.size(0);
    report.height = labels.size(1);
    report.width = labels.size(2);
    report.foreground_fraction = static_cast<double>(labels.count_nonzero().item<long>()) /
                                 static_cast<double>(labels.numel());
    write_volume_outputs(options_, segmenter_.classes(), inputs_[loaded.index], *loaded.volume,
                         loaded.result);
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
  std::size_t batch_size_;
  std::size_t reported_ = 0;
  Workers workers_;
  OrderedResults<ImageReport> written_;
};

}  // namespace

void infer_inputs(const Segmenter& segmenter, const NextInputs& next,
                  const FolderInferenceOptions& options, InferenceReport& report,
                  const InferenceHooks& hooks) {
  check_mask_options(options.mask);
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
