#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/options.h"
#include "leaf/pipeline/folder_inference.h"

namespace leaf::apps {

struct InferOptions {
  CommonOptions common;
  std::filesystem::path model;
  std::vector<std::filesystem::path> input;
  std::filesystem::path watch;
  bool recursive = true;
  bool dicom_series = false;
  std::string output_size = "original";
  std::string batch_size = "1";
  std::string probabilities = "none";
  std::string overlays = enum_text(FolderInferenceOptions{}.overlays);
  std::string contours = enum_text(FolderInferenceOptions{}.contours);
  std::string ensemble = enum_text(MaskOptions{}.ensemble);
  std::optional<std::int64_t> tile;
  double tile_overlap = Tiling{}.overlap;
  std::string postprocess;
  std::string slice_axis;  ///< empty: the model's
  SegmenterOptions segmenter;
  std::string noise = enum_text(SegmenterOptions{}.noise);
  FolderInferenceOptions inference;
};

/// `options` must outlive the parsing.
void add_infer_options(CLI::App& app, InferOptions& options);

/// Puts what was typed as words into `inference`. Throws ConfigError for words that mean nothing.
void parse_words(InferOptions& options);

}  // namespace leaf::apps
