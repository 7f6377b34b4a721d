#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/earlier_results.h"
#include "common/exit_code.h"
#include "common/interrupt.h"
#include "common/progress.h"
#include "common/run_app.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/stopwatch.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/pipeline/folder_inference.h"
#include "leaf_infer/options.h"

namespace leaf::apps {
namespace {

void infer(const Segmenter& segmenter, const std::vector<InferenceInput>& inputs,
           const InferOptions& o, InferenceReport& report) {
  Progress progress(static_cast<std::int64_t>(inputs.size()), "infer",
                    stderr_output(o.common.quiet));
  std::int64_t done = 0;
  InferenceHooks hooks;
  hooks.stop = interrupted;
  hooks.on_image = [&](const ImageReport& image) {
    if (!image.error.empty()) {
      progress.clear();
      log::error(image.error);
    }
    progress.update(++done);
  };
  infer_folder(segmenter, inputs, o.inference, report, hooks);
  progress.finish();
}

WatchOptions watch_options(const InferOptions& o) {
  return {.folder = o.watch, .recursive = o.recursive};
}

/// Segments what is in the watched folder and what arrives there.
void infer_arrivals(const Segmenter& segmenter, const InferOptions& o, InferenceReport& report) {
  InferenceHooks hooks;
  hooks.stop = interrupted;
  hooks.on_image = [](const ImageReport& image) {
    if (!image.error.empty()) {
      log::error(image.error);
    } else if (!image.skipped()) {
      log::info(str("'", image.input.string(), "' -> '", image.output.string(), "'"));
    }
  };
  log::info(str("watching '", o.watch.string(), "'; Ctrl-C ends it"));
  watch_folder(segmenter, watch_options(o), o.inference, report, hooks);
}

/// Removes what killed programs left half-written, with whatever options.
void clean_output(const std::vector<InferenceInput>& inputs,
                  const FolderInferenceOptions& options) {
  std::set<std::filesystem::path> folders{options.output};
  for (const InferenceInput& input : inputs) {
    for (std::filesystem::path& folder : output_folders(options, input)) {
      folders.insert(std::move(folder));
    }
  }
  std::for_each(folders.begin(), folders.end(), remove_leftovers);
}

/// The summary of work that `failure` ended; on a full disk there may be no place for it either.
void try_to_summarise(InferenceSummary& summary, const std::string& failure) {
  summary.report.failure = failure;
  try {
    write_summary(summary);
  } catch (const FileError&) {  // the failure itself is what the user is told
  }
}

/// "2 in place of masks that were there: 1 empty, 1 of another model"
std::string redone_text(const InferenceReport& report) {
  const auto reason = [](EarlierMask earlier) -> const char* {
    switch (earlier) {
      case EarlierMask::kEmpty:
        return "empty";
      case EarlierMask::kUnrecorded:
        return "not in audit.jsonl";
      case EarlierMask::kOtherModel:
        return "of another model";
      case EarlierMask::kOtherSettings:
        return "made with other settings";
      case EarlierMask::kOtherImage:
        return "of an image that has changed";
      case EarlierMask::kChanged:
        return "changed since they were written";
      default:
        return "whose other files are missing, older or of another form";
    }
  };
  std::int64_t count = 0;
  std::vector<std::string> reasons;
  for (const auto& [earlier, images] : report.redone) {
    count += images;
    reasons.push_back(str(images, " ", reason(earlier)));
  }
  return str(count, " in place of masks that were there: ", join(reasons, ", "));
}

/// "3 images segmented, 1 failed": what did not happen is not mentioned.
std::string outcome_text(const InferenceReport& report) {
  std::string text = str(report.done, report.done == 1 ? " image" : " images", " segmented");
  if (!report.redone.empty()) {
    text += str(" (", redone_text(report), ")");
  }
  if (report.skipped > 0) {
    text += str(", ", report.skipped, " skipped");
  }
  if (report.failed > 0) {
    text += str(", ", report.failed, " failed");
  }
  return report.interrupted ? str("interrupted: ", text) : text;
}

int exit_code(const InferenceReport& report) {
  if (report.interrupted) {
    return kExitInterrupted;
  }
  return report.failed > 0 ? kExitSomeFailed : kExitSuccess;
}

/// What is known from the start; of a watched folder nothing.
std::vector<InferenceInput> inputs_of(const InferOptions& o) {
  if (o.watch.empty()) {
    return find_inputs(o.input, {.recursive = o.recursive, .dicom_series = o.dicom_series},
                       o.inference.output);
  }
  check_watch(watch_options(o), o.inference.output);
  return {};
}

int run(InferOptions& o) {
  const Stopwatch watch;
  const Runtime runtime = apply(o.common);
  o.segmenter.device = runtime.device;
  o.segmenter.precision = runtime.precision;
  parse_words(o);
  const auto inputs = inputs_of(o);
  if (data::is_image_file(o.inference.output) && !std::filesystem::exists(o.inference.output)) {
    throw ConfigError(str("--output '", o.inference.output.string(),
                          "' is called as a picture, but it is the folder of the masks"));
  }
  check_outputs(inputs, o.inference);
  make_folder(o.inference.output);
  clean_output(inputs, o.inference);
  o.inference.model = find_model_folder(o.model);
  const Segmenter segmenter = Segmenter::load(o.inference.model, o.segmenter);
  check_mask_options(o.inference.mask, segmenter.classes());
  if (o.slice_axis.empty()) {
    o.inference.volumes.axis = segmenter.volume_options().axis;
  }
  const double load_seconds = watch.seconds();
  if (!o.inference.skip_existing) {
    note_earlier_results(o.inference.output, unused_folders(o.inference));
  }
  handle_interrupts();
  InferenceSummary summary{segmenter.options(), o.inference, load_seconds, {}};
  const InferenceReport& report = summary.report;
  try {
    if (o.watch.empty()) {
      infer(segmenter, inputs, o, summary.report);
    } else {
      infer_arrivals(segmenter, o, summary.report);
    }
  } catch (const DiskFullError& failure) {
    try_to_summarise(summary, plain_message(failure));
    throw DiskFullError(str(failure.what(), ", then go on with --skip-existing"));
  } catch (const std::exception& failure) {
    try_to_summarise(summary, plain_message(failure));
    throw;
  }
  write_summary(summary);
  log::info(str(outcome_text(report), "; ",
                report.done > 0 ? "masks and summary.json are" : "summary.json is", " in '",
                o.inference.output.string(), "'"));
  return exit_code(report);
}

}  // namespace
}  // namespace leaf::apps

int main(int argc, char** argv) {
  CLI::App app{
      "Segments images: one mask per image, 0 and 255 or a label map of the model's classes, at "
      "the "
      "image's own size.",
      "leaf_infer"};
  leaf::apps::InferOptions options;
  leaf::apps::add_infer_options(app, options);
  return leaf::apps::run_app(app, argc, argv, [&] { return leaf::apps::run(options); });
}
