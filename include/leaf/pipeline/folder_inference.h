#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "leaf/core/enum_names.h"
#include "leaf/data/maps.h"
#include "leaf/data/volume.h"
#include "leaf/pipeline/contour_files.h"
#include "leaf/pipeline/segment_file.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// An image, or a volume of slices (data::is_volume), and the name of its mask below the output
/// folder, without extension ("a/b").
struct InferenceInput {
  std::filesystem::path image;
  std::filesystem::path name;
  /// Not empty: why it is not to be segmented. It counts as failed.
  std::string refusal = {};
};

/// How folders are searched for images.
struct InputSearch {
  bool recursive = true;
  /// Folders with DICOM files are volumes, under the folder's name; else each file is an image.
  bool dicom_series = false;
};

/// Files as they are (under their own name) and the images of folders (under their name below that
/// folder), in natural order per argument. What lies in `output` is left out, and so are results of
/// earlier calls of leaf_infer and leaf_eval below a folder; the latter, and files that are no
/// images here, are warned about. In the image folders of an nnU-Net data set
/// (data::is_case_folder) the name is that of the case, without "_0000". No image is read. Throws
/// DataError for what does not exist and for a folder without images.
std::vector<InferenceInput> find_inputs(const std::vector<std::filesystem::path>& paths,
                                        const InputSearch& search,
                                        const std::filesystem::path& output);

/// kOutline: the mask's border is drawn on the image. kFilled: the mask is coloured, too.
enum class OverlayStyle { kNone, kOutline, kFilled };
inline EnumNames<OverlayStyle> enum_names(OverlayStyle /*tag*/) {
  return {{OverlayStyle::kNone, "none"},
          {OverlayStyle::kOutline, "outline"},
          {OverlayStyle::kFilled, "filled"}};
}

/// A batch size that fits the memory: Segmenter::images_at_once(), halved where the memory does not
/// suffice.
inline constexpr std::int64_t kAutoBatch = 0;

struct FolderInferenceOptions {
  /// Folder of everything that is written.
  std::filesystem::path output;
  /// The folder that the segmenter was loaded from: the audit states the hash of its files. Empty
  /// for a segmenter that comes from elsewhere.
  std::filesystem::path model;
  MaskOptions mask;
  /// How volumes are cut into slices, and which are refused.
  data::VolumeOptions volumes;
  /// Images, slices of a volume, or tiles of one, that the network sees at once; or kAutoBatch.
  std::int64_t batch_size = 1;
  /// Begins a batch before the one before it is written, so that a GPU need not wait for the CPU in
  /// between; for one noise sample of whole images.
  bool run_ahead = false;
  /// Also probabilities/NAME, by this writer; nullptr: none.
  const data::MapWriter* probabilities = nullptr;
  /// Also overlays/NAME.jpg: the mask on the image as displayed.
  OverlayStyle overlays = OverlayStyle::kNone;
  /// Also contours/NAME.json or .geojson.
  ContourFormat contours = ContourFormat::kNone;
  /// Also labels/NAME.png: the mask's connected parts, numbered from 1, in 16 bits.
  bool labels = false;
  /// Also dicom-seg/NAME.dcm: the mask as a DICOM Segmentation object that refers to its image,
  /// which must be a DICOM file. Not with OutputSize::kModel.
  bool dicom_seg = false;
  /// Leaves images alone whose mask is there: complete, of this image, this model and these
  /// settings, as audit.jsonl tells.
  bool skip_existing = false;
};

/// The mask of an input: output/NAME.png, or of a volume NAME.nii.gz (data::volume_ending).
std::filesystem::path mask_path(const FolderInferenceOptions& options, const InferenceInput& input);

/// Everything that is written for an input; the mask is the last.
std::vector<std::filesystem::path> output_files(const FolderInferenceOptions& options,
                                                const InferenceInput& input);

/// Where files of an input are, those of other options too.
std::vector<std::filesystem::path> output_folders(const FolderInferenceOptions& options,
                                                  const InferenceInput& input);

/// The folders in the output, for what may stand beside masks, that these options write nothing to.
std::vector<std::string> unused_folders(const FolderInferenceOptions& options);

/// Throws ConfigError when two inputs would write the same file, one would be written over, or one
/// is a volume that the options do not fit.
void check_outputs(const std::vector<InferenceInput>& inputs,
                   const FolderInferenceOptions& options);

/// What skip_existing finds in the place of an image's mask, and makes anew unless it is kKept.
enum class EarlierMask {
  kNone,
  kKept,
  kEmpty,
  kUnrecorded,     ///< audit.jsonl says nothing about it
  kOtherModel,     ///< another model wrote it
  kOtherSettings,  ///< written with other settings (seed, steps, precision, size, ...)
  kOtherImage,     ///< the image has changed since
  kChanged,        ///< the mask is not what was written
  kIncomplete,     ///< other files that are asked for are not there or not of its call
};
inline EnumNames<EarlierMask> enum_names(EarlierMask /*tag*/) {
  return {{EarlierMask::kNone, "none"},
          {EarlierMask::kKept, "kept"},
          {EarlierMask::kEmpty, "empty"},
          {EarlierMask::kUnrecorded, "unrecorded"},
          {EarlierMask::kOtherModel, "other_model"},
          {EarlierMask::kOtherSettings, "other_settings"},
          {EarlierMask::kOtherImage, "other_image"},
          {EarlierMask::kChanged, "changed"},
          {EarlierMask::kIncomplete, "incomplete"}};
}

/// A file as it was when it was read or written.
struct FileFacts {
  std::int64_t bytes = 0;
  std::int64_t modified_ns = 0;  ///< since 1970
  std::string sha256;
};

/// What became of one image.
struct ImageReport {
  std::filesystem::path input;
  std::filesystem::path output;
  std::string error;                         ///< why there is no mask; empty when all went well
  EarlierMask earlier = EarlierMask::kNone;  ///< only looked for with skip_existing
  bool skipped() const { return earlier == EarlierMask::kKept; }
  std::int64_t height = 0;  ///< of the mask
  std::int64_t width = 0;
  std::int64_t tiles = 0;   ///< that the network saw; 0 for the whole image at once
  std::int64_t slices = 0;  ///< of a volume; 0 for an image
  /// From decoded pixels to the mask, its share of the batch; reading and writing are not in it.
  double milliseconds = 0;
  double foreground_fraction = 0;
  double written_seconds = 0;  ///< since the work began
  FileFacts input_file;
  FileFacts mask_file;
};

/// What became of all of them so far. What became of each is in audit.jsonl: memory does not grow
/// with their number.
struct InferenceReport {
  std::int64_t done = 0;  ///< images whose mask was written
  std::int64_t failed = 0;
  std::int64_t skipped = 0;
  std::map<EarlierMask, std::int64_t> redone;  ///< of those that are done, by what stood there
  bool interrupted = false;
  std::string failure;  ///< for the caller to say what ended the work early; else empty
  double seconds = 0;
  double first_mask_seconds = 0;  ///< until the first mask was written; 0 when none was
  std::string run;                ///< this run's name in audit.jsonl
  std::int64_t audit_begin = 0;   ///< where its records begin there, in bytes
};

struct InferenceHooks {
  /// After every image, its mask written.
  std::function<void(const ImageReport&)> on_image = [](const ImageReport&) {};
  /// Asked after every batch, of tiles too; true ends the work there.
  std::function<bool()> stop = [] { return false; };
};

/// Writes the mask (0 and 255) of every input; its pixels are those of the stored image: an EXIF
/// orientation is applied for the network and undone in the mask. Images are read and masks written
/// by other threads while the network runs, a few at a time, so memory does not grow with their
/// number.
///
/// Of a volume the slices are segmented (segment_volume), and masks, probabilities and
/// uncertainties are volumes of the same geometry, the mask of labels (data::volume_values).
/// Overlays, contours and numbered parts are made of images alone.
///
/// Whatever goes wrong with one image is that image's failure: it is reported and passed over.
/// Throws FileError when nothing can be written any more (a full disk). An empty `report` is filled
/// image by image, in the order of the inputs, so that it says what was done before.
///
/// Each image leaves a record in output/audit.jsonl, after its mask (docs/inference.md).
void infer_folder(const Segmenter& segmenter, const std::vector<InferenceInput>& inputs,
                  const FolderInferenceOptions& options, InferenceReport& report,
                  const InferenceHooks& hooks = {});

/// Asked for inputs whenever those before are done; none ends the work.
using NextInputs = std::function<std::vector<InferenceInput>()>;

/// The same for inputs that come by and by.
void infer_inputs(const Segmenter& segmenter, const NextInputs& next,
                  const FolderInferenceOptions& options, InferenceReport& report,
                  const InferenceHooks& hooks = {});

struct WatchOptions {
  std::filesystem::path folder;
  /// Also the folders below, now or later.
  bool recursive = true;
  /// A file has arrived when it was closed after writing, moved in or linked, and its size and time
  /// have not changed for so long.
  double settle_seconds = 0.5;
};

/// DataError where there is no such folder, ConfigError where the masks would go into it.
void check_watch(const WatchOptions& watch, const std::filesystem::path& output);

/// The same for the images that lie in a folder, and then for all that arrive there, until
/// hooks.stop says so: `report` counts as interrupted if images were waiting. Two images of one
/// name (a.png, a.jpg) are failures while both are there. Errors as of check_watch(), and FileError
/// when the folder cannot be watched or is gone.
void watch_folder(const Segmenter& segmenter, const WatchOptions& watch,
                  const FolderInferenceOptions& options, InferenceReport& report,
                  const InferenceHooks& hooks = {});

/// What summary.json says: the run as it was called, and its report.
struct InferenceSummary {
  SegmenterOptions segmenter;
  FolderInferenceOptions options;
  double load_seconds = 0;
  InferenceReport report;
};

/// Writes output/summary.json, atomically; what it says of each image comes from audit.jsonl.
void write_summary(const InferenceSummary& summary);

}  // namespace leaf
