#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "leaf/core/device.h"
#include "leaf/core/files.h"
#include "leaf/pipeline/folder_inference.h"

namespace leaf {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const ImageReport& image) {
  const std::string input = image.input.string();
  if (!image.error.empty()) {
    return {{"input", input}, {"error", image.error}};
  }
  const std::string output = image.output.string();
  if (image.skipped) {
    return {{"input", input}, {"output", output}, {"skipped", true}};
  }
  return {{"input", input},
          {"output", output},
          {"height", image.height},
          {"width", image.width},
          {"milliseconds", image.milliseconds},
          {"foreground_fraction", image.foreground_fraction}};
}

Json options_json(const SegmenterOptions& segmenter, const FolderInferenceOptions& options) {
  return {{"device", segmenter.device.str()},
          {"precision", enum_text(segmenter.precision)},
          {"seed", segmenter.seed},
          {"noise", enum_text(segmenter.noise)},
          {"num_inference_steps", segmenter.num_inference_steps},
          {"batch_size", options.batch_size},
          {"output_size", enum_text(options.output_size)},
          {"probabilities", options.probabilities},
          {"overlays", options.overlays},
          {"skip_existing", options.skip_existing}};
}

Json totals_json(const InferenceSummary& summary) {
  const InferenceReport& report = summary.report;
  Json totals = {{"done", report.done()},
                 {"failed", report.failures()},
                 {"skipped", report.skipped()},
                 {"seconds", report.seconds},
                 {"load_seconds", summary.load_seconds}};
  if (report.done() > 0) {
    totals["time_to_first_mask_seconds"] = summary.load_seconds + report.first_mask_seconds;
  }
  return totals;
}

std::string status(const InferenceReport& report) {
  if (!report.failure.empty()) {
    return "failed";
  }
  return report.interrupted ? "interrupted" : "complete";
}

}  // namespace

void write_summary(const InferenceSummary& summary) {
  Json images = Json::array();
  for (const ImageReport& image : summary.report.images) {
    images.push_back(to_json(image));
  }
  Json json = {{"status", status(summary.report)},
               {"model", summary.model.string()},
               {"options", options_json(summary.segmenter, summary.options)},
               {"versions", {{"leaf", version()}, {"libtorch", TORCH_VERSION}}},
               {"totals", totals_json(summary)},
               {"images", images}};
  if (!summary.report.failure.empty()) {
    json["error"] = summary.report.failure;
  }
  // File names need not be UTF-8, JSON must be.
  write_file(summary.options.output / "summary.json",
             json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace leaf
