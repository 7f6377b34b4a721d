#include <torch/version.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "audit_log.h"
#include "core/json.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace {

Json options_json(const SegmenterOptions& segmenter, const FolderInferenceOptions& options) {
  Json json = result_settings(segmenter, options);
  json["device"] = segmenter.device.str();
  json["batch_size"] = options.batch_size == kAutoBatch ? Json("auto") : Json(options.batch_size);
  json["probabilities"] = options.probabilities != nullptr ? options.probabilities->name : "none";
  json["overlays"] = enum_text(options.overlays);
  json["contours"] = enum_text(options.contours);
  json["labels"] = options.labels;
  json["dicom_seg"] = options.dicom_seg;
  json["skip_existing"] = options.skip_existing;
  return json;
}

Json totals_json(const InferenceSummary& summary) {
  const InferenceReport& report = summary.report;
  Json totals = {{"done", report.done},
                 {"failed", report.failed},
                 {"skipped", report.skipped},
                 {"seconds", report.seconds},
                 {"load_seconds", summary.load_seconds}};
  if (report.done > 0) {
    totals["time_to_first_mask_seconds"] = summary.load_seconds + report.first_mask_seconds;
  }
  for (const auto& [earlier, count] : report.redone) {
    totals["redone"][enum_text(earlier)] = count;
  }
  return totals;
}

std::string status(const InferenceReport& report) {
  if (!report.failure.empty()) {
    return "failed";
  }
  return report.interrupted ? "interrupted" : "complete";
}

/// All but the images.
Json head_json(const InferenceSummary& summary) {
  Json json = {{"status", status(summary.report)},
               {"model", summary.options.model.string()},
               {"options", options_json(summary.segmenter, summary.options)},
               {"versions", {{"leaf", version()}, {"libtorch", TORCH_VERSION}}},
               {"run", summary.report.run},
               {"totals", totals_json(summary)}};
  if (!summary.report.failure.empty()) {
    json["error"] = summary.report.failure;
  }
  return json;
}

/// What a record says of its image.
Json image_json(const Json& record) {
  Json image;
  for (const char* key : {"input", "error", "output", "skipped", "height", "width", "tiles",
                          "slices", "milliseconds", "foreground_fraction"}) {
    if (record.contains(key)) {
      image[key] = record[key];
    }
  }
  return image;
}

/// Image by image, since there may be any number of them.
void write_json(std::ofstream& out, const InferenceSummary& summary) {
  std::string head = json_text(head_json(summary), 2);
  head.resize(head.rfind("\n}"));
  out << head << ",\n  \"images\": [";
  const char* separator = "\n    ";
  read_audit(audit_path(summary.options.output), summary.report.audit_begin,
             [&](const Json& record) {
               if (record.value("run", "") == summary.report.run) {
                 out << separator << json_text(image_json(record));
                 separator = ",\n    ";
               }
             });
  out << "\n  ]\n}\n";
}

}  // namespace

void write_summary(const InferenceSummary& summary) {
  const std::filesystem::path path = summary.options.output / "summary.json";
  replace_file(path, [&](const std::filesystem::path& temporary) {
    std::ofstream out(temporary, std::ios::binary);
    write_json(out, summary);
    out.close();
    if (!out) {
      throw_cannot_write(path, errno);
    }
  });
}

}  // namespace leaf
