#include "leaf/pipeline/folder_inference.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/stopwatch.h"
#include "leaf/data/exif.h"
#include "leaf/data/image_io.h"
#include "leaf/data/transforms.h"
#include "leaf/pipeline/mask_codec.h"
#include "load_ahead.h"
#include "output_files.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// An image in memory, or the reason why it is not there.
struct Decoded {
  InferenceInput input;
  ImageReport report;
  data::LoadedImage image;
  at::Tensor prepared;  ///< [3,R,R]

  bool usable() const { return report.error.empty() && !report.skipped; }
};

Decoded decode(const Segmenter& segmenter, const InferenceInput& input,
               const FolderInferenceOptions& options) {
  Decoded decoded;
  decoded.input = input;
  decoded.report.input = input.image;
  decoded.report.output = mask_path(options, input);
  decoded.report.skipped = options.skip_existing && fs::exists(decoded.report.output);
  if (decoded.report.skipped) {
    return decoded;
  }
  try {
    decoded.image = data::read_image(input.image);
    decoded.prepared = segmenter.prepare(decoded.image.rgb);
  } catch (const std::exception& failure) {  // a picture may also be too large for the memory
    decoded.report.error = plain_message(failure);
    std::error_code none;  // an earlier mask would be taken for this image's
    if (fs::remove(decoded.report.output, none)) {
      decoded.report.error += "; its earlier mask was removed";
    }
  }
  return decoded;
}

void write_outputs(const Decoded& decoded, const Segmentation& result,
                   const FolderInferenceOptions& options) {
  const int orientation = decoded.image.exif_orientation;
  if (options.probabilities) {
    const at::Tensor grey = result.probability.mul(255).round().clamp(0, 255).to(at::kByte);
    data::write_png(probability_path(options, decoded.input),
                    data::undo_orientation(grey, orientation));
  }
  if (options.overlays) {
    const bool small = options.output_size == OutputSize::kModel;
    const at::Tensor picture =
        small ? data::resize_image(decoded.image.rgb, result.mask.size(0)) : decoded.image.rgb;
    data::write_jpeg(overlay_path(options, decoded.input), data::overlay(picture, result.mask));
  }
  // The mask comes last: where it stands, the image is done (skip_existing).
  data::write_png(decoded.report.output, data::undo_orientation(result.mask, orientation));
}

/// From the network's probability [R,R] to the files on the disk.
void finish_image(const Segmenter& segmenter, Decoded& decoded, const at::Tensor& probability,
                  const FolderInferenceOptions& options) {
  const Stopwatch watch;
  const bool small = options.output_size == OutputSize::kModel;
  const at::Tensor& pixels = small ? probability : decoded.image.rgb;
  const Segmentation result = segmenter.finish(probability, pixels.size(0), pixels.size(1));
  ImageReport& report = decoded.report;
  report.milliseconds += 1000 * watch.seconds();
  const bool turned = decoded.image.exif_orientation >= 5;
  report.height = result.mask.size(turned ? 1 : 0);
  report.width = result.mask.size(turned ? 0 : 1);
  report.foreground_fraction = result.mask.ne(0).to(at::kDouble).mean().item<double>();
  write_outputs(decoded, result, options);
}

/// Why a result is no mask; empty for one that is.
std::string not_finite_text(const at::Tensor& probability, const InferenceInput& input) {
  try {
    require_finite(probability, input.image.string());
    return "";
  } catch (const DataError& failure) {
    return failure.what();
  }
}

/// Runs the network once for all usable images; calls `done` for every image in turn, its files
/// written.
void segment_batch(const Segmenter& segmenter, std::vector<Decoded>& batch,
                   const FolderInferenceOptions& options,
                   const std::function<void(const ImageReport&)>& done) {
  std::vector<at::Tensor> inputs;
  for (const Decoded& decoded : batch) {
    if (decoded.usable()) {
      inputs.push_back(decoded.prepared);
    }
  }
  const Stopwatch watch;
  const at::Tensor probability =
      inputs.empty() ? at::Tensor() : segmenter.probability(at::stack(inputs));
  const double share = 1000 * watch.seconds() / static_cast<double>(inputs.size());
  std::int64_t row = 0;
  for (Decoded& decoded : batch) {
    if (decoded.usable()) {
      decoded.report.milliseconds = share;
      const at::Tensor result = probability[row++][0];
      decoded.report.error = not_finite_text(result, decoded.input);
      if (decoded.report.error.empty()) {
        finish_image(segmenter, decoded, result, options);
      }
    }
    done(decoded.report);
  }
}

}  // namespace

fs::path mask_path(const FolderInferenceOptions& options, const InferenceInput& input) {
  return options.output / (input.name.string() + ".png");
}

fs::path probability_path(const FolderInferenceOptions& options, const InferenceInput& input) {
  return options.output / "probabilities" / (input.name.string() + ".png");
}

fs::path overlay_path(const FolderInferenceOptions& options, const InferenceInput& input) {
  return options.output / "overlays" / (input.name.string() + ".jpg");
}

std::int64_t InferenceReport::failures() const {
  return std::count_if(images.begin(), images.end(),
                       [](const ImageReport& image) { return !image.error.empty(); });
}

std::int64_t InferenceReport::skipped() const {
  return std::count_if(images.begin(), images.end(),
                       [](const ImageReport& image) { return image.skipped; });
}

std::int64_t InferenceReport::done() const {
  return static_cast<std::int64_t>(images.size()) - failures() - skipped();
}

void infer_folder(const Segmenter& segmenter, const std::vector<InferenceInput>& inputs,
                  const FolderInferenceOptions& options, InferenceReport& report,
                  const InferenceHooks& hooks) {
  const Stopwatch watch;
  const auto batch_size = static_cast<std::size_t>(std::max<std::int64_t>(1, options.batch_size));
  LoadAhead<Decoded> ahead(inputs.size(), batch_size,
                           [&](std::size_t i) { return decode(segmenter, inputs[i], options); });
  const auto done = [&](const ImageReport& image) {
    report.seconds = watch.seconds();
    if (image.error.empty() && !image.skipped && report.first_mask_seconds == 0) {
      report.first_mask_seconds = report.seconds;
    }
    report.images.push_back(image);
    hooks.on_image(image);
  };
  while (report.images.size() < inputs.size() && !report.interrupted) {
    std::vector<Decoded> batch;
    const std::size_t left = inputs.size() - report.images.size();
    for (std::size_t i = 0; i < std::min(batch_size, left); ++i) {
      batch.push_back(ahead.next());
    }
    segment_batch(segmenter, batch, options, done);
    report.interrupted = report.images.size() < inputs.size() && hooks.stop();
  }
}

}  // namespace leaf
