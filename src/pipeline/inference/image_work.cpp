#include "image_work.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "output_files.h"
#include "pipeline/mask_codec.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// What was thrown as one line that names the image.
std::string failure_text(const fs::path& image, const std::exception& failure) {
  const std::string line = plain_message(failure);
  const bool named = line.find(image.string()) != std::string::npos;
  return named ? line : str("'", image.string(), "': ", line);
}

double nonzero_fraction(const at::Tensor& labels) {
  return static_cast<double>(labels.count_nonzero().item<long>()) /
         static_cast<double>(labels.numel());
}

}  // namespace

ImageWork ImageWorker::load(const InferenceInput& input) const {
  ImageWork work{.input = input, .report = {}, .file = {}, .volume = {}, .result = {}};
  work.report.input = input.image;
  work.report.output = mask_path(options_, input);
  work.report.error = input.refusal;
  try {
    if (options_.skip_existing && work.usable()) {
      work.report.earlier = audit_.earlier_mask(input);
    }
    if (work.usable()) {
      read(work);
    }
  } catch (const std::exception& failure) {
    fail(input, work.report, failure);
  }
  return work;
}

void ImageWorker::read(ImageWork& work) const {
  const fs::path& image = work.input.image;
  work.report.input_file = facts_of_file(image);
  const bool tiled = options_.mask.tiling.has_value();
  if (data::is_volume(image)) {
    work.volume = data::open_volume(image, options_.volumes);
  } else {
    work.file =
        prepare_file(segmenter_, image,
                     {.input = !tiled, .rgb = tiled || options_.overlays != OverlayStyle::kNone});
  }
}

void ImageWorker::fail(const InferenceInput& input, ImageReport& report,
                       const std::exception& failure) const {
  report.error = failure_text(report.input, failure);
  std::error_code none;
  for (const fs::path& file : output_files(options_, input)) {
    const bool removed = !fs::is_directory(file, none) && fs::remove(file, none);
    if (removed && file == report.output) {
      report.error += "; its earlier mask was removed";
    }
  }
}

ImageReport ImageWorker::write(const ImageWork& work, const at::Tensor& probability) const {
  ImageReport report = work.report;
  if (!work.usable()) {
    return report;
  }
  try {
    if (work.volume) {
      write_volume(work, report);
    } else {
      require_finite(probability, report.input.string());
      write_image(work, probability, report);
    }
    report.mask_file = facts_of_file(report.output);
    report.written_seconds = watch_.seconds();
  } catch (const DiskFullError&) {
    throw;
  } catch (const std::exception& failure) {
    fail(work.input, report, failure);
  }
  return report;
}

void ImageWorker::write_image(const ImageWork& work, const at::Tensor& probability,
                              ImageReport& report) const {
  const Stopwatch watch;
  const Segmentation displayed = finish_file(segmenter_, work.file, probability, options_.mask);
  report.milliseconds += 1000 * watch.seconds();
  const bool turned = work.file.orientation >= 5;
  report.height = displayed.mask.size(turned ? 1 : 0);
  report.width = displayed.mask.size(turned ? 0 : 1);
  report.foreground_fraction = nonzero_fraction(displayed.mask);
  write_outputs(options_, segmenter_.classes(), work.input, work.file, displayed);
}

void ImageWorker::write_volume(const ImageWork& work, ImageReport& report) const {
  const at::Tensor& labels = work.result.labels;
  report.slices = labels.size(0);
  report.height = labels.size(1);
  report.width = labels.size(2);
  report.foreground_fraction = nonzero_fraction(labels);
  write_volume_outputs(options_, segmenter_.classes(), work.input, *work.volume, work.result);
}

}  // namespace leaf
