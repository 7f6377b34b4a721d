#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// An image and the name of its mask below the output folder, without extension ("a/b").
struct InferenceInput {
  std::filesystem::path image;
  std::filesystem::path name;
};

/// Files as they are (under their own name) and the images of folders (under their name below that
/// folder), in natural order per argument. What lies in `output` is left out, and so are results of
/// earlier calls of leaf_infer and leaf_eval below a folder; the latter, and files that are no
/// images here, are warned about. No image is read.
/// DataError for what does not exist and for a folder without images.
std::vector<InferenceInput> find_inputs(const std::vector<std::filesystem::path>& paths,
                                        bool recursive, const std::filesystem::path& output);

/// kOriginal: masks have the stored image's size. kModel: they have the model's, as validation
/// scores them.
enum class OutputSize { kOriginal, kModel };
inline EnumNames<OutputSize> enum_names(OutputSize /*tag*/) {
  return {{OutputSize::kOriginal, "original"}, {OutputSize::kModel, "model"}};
}

struct FolderInferenceOptions {
  /// Folder of everything that is written.
  std::filesystem::path output;
  OutputSize output_size = OutputSize::kOriginal;
  /// Images at a time.
  std::int64_t batch_size = 1;
  /// Also probabilities/NAME.png: grey, 255 times the probability.
  bool probabilities = false;
  /// Also overlays/NAME.jpg: the mask's outline on the image as displayed.
  bool overlays = false;
  /// Leaves images alone whose mask is there.
  bool skip_existing = false;
};

/// The files of an input: output/NAME.png, output/probabilities/NAME.png, output/overlays/NAME.jpg.
std::filesystem::path mask_path(const FolderInferenceOptions& options, const InferenceInput& input);
std::filesystem::path probability_path(const FolderInferenceOptions& options,
                                       const InferenceInput& input);
std::filesystem::path overlay_path(const FolderInferenceOptions& options,
                                   const InferenceInput& input);

/// ConfigError when two inputs would write the same file or one would be written over.
void check_outputs(const std::vector<InferenceInput>& inputs,
                   const FolderInferenceOptions& options);

/// What became of one image.
struct ImageReport {
  std::filesystem::path input;
  std::filesystem::path output;
  std::string error;        ///< why there is no mask; empty when all went well
  bool skipped = false;     ///< the mask was there already
  std::int64_t height = 0;  ///< of the mask
  std::int64_t width = 0;
  /// From decoded pixels to the mask, its share of the batch; reading and writing are not in it.
  double milliseconds = 0;
  double foreground_fraction = 0;
};

struct InferenceReport {
  std::vector<ImageReport> images;  ///< in the order of the inputs
  bool interrupted = false;
  std::string failure;  ///< for the caller to say what ended the work early; else empty
  double seconds = 0;
  double first_mask_seconds = 0;  ///< until the first mask was written; 0 when none was

  std::int64_t failures() const;
  std::int64_t skipped() const;
  /// Images whose mask was written.
  std::int64_t done() const;
};

struct InferenceHooks {
  /// After every image, its mask written.
  std::function<void(const ImageReport&)> on_image = [](const ImageReport&) {};
  /// Asked after every batch; true ends the work there.
  std::function<bool()> stop = [] { return false; };
};

/// Writes the mask (0 and 255) of every input; its pixels are those of the stored image: an EXIF
/// orientation is applied for the network and undone in the mask. An image that cannot be read is
/// reported and passed over. Images are decoded ahead on other threads, a batch at most, so memory
/// does not grow with their number. FileError when the output cannot be written; an empty `report`
/// is filled image by image, so that it says what was done before.
void infer_folder(const Segmenter& segmenter, const std::vector<InferenceInput>& inputs,
                  const FolderInferenceOptions& options, InferenceReport& report,
                  const InferenceHooks& hooks = {});

/// What summary.json says: the run as it was called, and its report.
struct InferenceSummary {
  std::filesystem::path model;
  SegmenterOptions segmenter;
  FolderInferenceOptions options;
  double load_seconds = 0;
  InferenceReport report;
};

/// Writes output/summary.json, atomically.
void write_summary(const InferenceSummary& summary);

}  // namespace leaf
