#include "output_files.h"

#include <ATen/ATen.h>

#include <string>

#include "data/dicom/segmentation.h"
#include "data/dicom/structure.h"
#include "data/transforms.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/label_maps.h"
#include "leaf/data/maps.h"
#include "leaf/data/postprocess.h"
#include "leaf/data/volume.h"
#include "leaf/pipeline/contour_files.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using Options = FolderInferenceOptions;

constexpr const char* kGrey16 = "16";  // uncertainty's writer, and what labels are

/// What is written beside the mask, by this call's options.
struct Extra {
  const char* folder;
  std::string extension;
  std::string form;  ///< what an extension does not tell, too
  bool wanted;
  bool of_volumes = false;     ///< made of them, too
  bool own_extension = false;  ///< of volumes, too, whose files else end as their masks do
  bool of_dicom = false;       ///< made of DICOM files and folders alone
};

Extra probabilities(const Options& options) {
  const data::MapWriter writer =
      options.probabilities != nullptr ? *options.probabilities : data::MapWriter{};
  return {"probabilities", writer.extension, writer.name, options.probabilities != nullptr, true};
}
Extra uncertainty(const Options& options) {
  return {"uncertainty", ".png", kGrey16, options.mask.seeds > 1, true};
}
Extra overlay(const Options& options) {
  return {"overlays", ".jpg", enum_text(options.overlays), options.overlays != OverlayStyle::kNone};
}
Extra contours(const Options& options) {
  const bool geojson = options.contours == ContourFormat::kGeoJson;
  return {"contours", geojson ? ".geojson" : ".json", enum_text(options.contours),
          options.contours != ContourFormat::kNone};
}
Extra labels(const Options& options) { return {"labels", ".png", kGrey16, options.labels}; }
Extra dicom_seg(const Options& options) {
  return {"dicom-seg", ".dcm", "binary", options.dicom_seg, true, true, true};
}

std::vector<Extra> all_extras(const Options& options) {
  return {probabilities(options), uncertainty(options), overlay(options),
          contours(options),      labels(options),      dicom_seg(options)};
}

bool is_dicom(const fs::path& image) {
  std::error_code none;
  return fs::is_directory(image, none) || data::dicom::is_dicom_file(image);
}

bool is_made(const Extra& extra, const InferenceInput& input) {
  return extra.wanted && (extra.of_volumes || !data::is_volume(input.image)) &&
         (!extra.of_dicom || is_dicom(input.image));
}

/// Whether an object refers to this image; says so once where none can.
bool makes_dicom_seg(const Options& options, const InferenceInput& input) {
  const Extra extra = dicom_seg(options);
  if (extra.wanted && !is_made(extra, input)) {
    log::warn_once("no DICOM segmentation",
                   str("'", input.image.string(),
                       "' is no DICOM file, so that no DICOM "
                       "segmentation is written of it; so it is with others"));
  }
  return is_made(extra, input);
}

/// With the extension that files of an image have; those of volumes end as their masks do.
std::string file_name(const InferenceInput& input, const std::string& extension) {
  return input.name.string() +
         (data::is_volume(input.image) ? data::volume_ending(input.image) : extension);
}

fs::path path_of(const Options& options, const Extra& extra, const InferenceInput& input) {
  return options.output / extra.folder /
         (extra.own_extension ? input.name.string() + extra.extension
                              : file_name(input, extra.extension));
}

void warn_of_images_alone(const Options& options, const InferenceInput& input) {
  for (const Extra& extra : all_extras(options)) {
    if (extra.wanted && !is_made(extra, input)) {
      log::warn_once("images alone", str("'", input.image.string(), "' is a volume, of which no ",
                                         extra.folder, "/ are made; so it is with others"));
    }
  }
}

void write_overlay(const fs::path& path, const PreparedFile& file, const at::Tensor& mask,
                   const data::MaskClasses& classes, OverlayStyle style) {
  const bool fits = data::size_of(file.rgb) == data::size_of(mask);
  const at::Tensor picture = fits ? file.rgb : data::resize_image(file.rgb, mask.size(0));
  data::write_jpeg(path, style == OverlayStyle::kFilled
                             ? data::filled_class_overlay(picture, mask, classes)
                             : data::class_overlay(picture, mask, classes));
}

}  // namespace

fs::path mask_path(const FolderInferenceOptions& options, const InferenceInput& input) {
  return options.output / file_name(input, ".png");
}

std::vector<fs::path> output_files(const FolderInferenceOptions& options,
                                   const InferenceInput& input) {
  std::vector<fs::path> files;
  for (const Extra& extra : all_extras(options)) {
    if (is_made(extra, input)) {
      files.push_back(path_of(options, extra, input));
    }
  }
  files.push_back(mask_path(options, input));
  return files;
}

std::map<std::string, std::string> extra_forms(const FolderInferenceOptions& options,
                                               const InferenceInput& input) {
  std::map<std::string, std::string> forms;
  for (const Extra& extra : all_extras(options)) {
    if (is_made(extra, input)) {
      const bool as_mask = data::is_volume(input.image) && !extra.own_extension;
      forms[extra.folder] = as_mask ? data::volume_ending(input.image).substr(1) : extra.form;
    }
  }
  return forms;
}

std::vector<fs::path> output_folders(const FolderInferenceOptions& options,
                                     const InferenceInput& input) {
  std::vector<fs::path> folders{mask_path(options, input).parent_path()};
  for (const Extra& extra : all_extras(options)) {
    folders.push_back(path_of(options, extra, input).parent_path());
  }
  return folders;
}

std::vector<std::string> unused_folders(const FolderInferenceOptions& options) {
  std::vector<std::string> folders;
  for (const Extra& extra : all_extras(options)) {
    if (!extra.wanted) {
      folders.emplace_back(extra.folder);
    }
  }
  return folders;
}

void write_outputs(const FolderInferenceOptions& options, const data::MaskClasses& classes,
                   const InferenceInput& input, const PreparedFile& file,
                   const Segmentation& displayed) {
  const Segmentation stored = as_stored(displayed, file.orientation);
  const auto path = [&](const Extra& extra) { return path_of(options, extra, input); };
  if (options.probabilities != nullptr) {
    data::write_map(path(probabilities(options)), stored.probability, *options.probabilities);
  }
  if (uncertainty(options).wanted) {
    data::write_map(path(uncertainty(options)), entropy(stored.probability),
                    *data::find_map_writer(kGrey16, "uncertainty"));
  }
  if (overlay(options).wanted) {
    write_overlay(path(overlay(options)), file, displayed.mask, classes, options.overlays);
  }
  if (contours(options).wanted) {
    const std::string name = input.image.filename().string();
    write_file(path(contours(options)),
               contours_text(name, stored.mask, classes, options.contours));
  }
  if (options.labels) {
    data::write_labels(path(labels(options)), data::numbered_parts(stored.mask));
  }
  if (makes_dicom_seg(options, input)) {
    data::dicom::write_segmentation(path(dicom_seg(options)), {{.file = input.image}},
                                    stored.mask.unsqueeze(0), classes, options.volumes.limits);
  }
  data::write_label_map(mask_path(options, input), stored.mask, classes);
}

bool wants_probability(const FolderInferenceOptions& options) {
  return probabilities(options).wanted || uncertainty(options).wanted;
}

void write_volume_outputs(const FolderInferenceOptions& options, const data::MaskClasses& classes,
                          const InferenceInput& input, const data::Volume& volume,
                          const VolumeSegmentation& result) {
  warn_of_images_alone(options, input);
  if (probabilities(options).wanted) {
    data::write_volume(path_of(options, probabilities(options), input), volume, result.probability);
  }
  if (uncertainty(options).wanted) {
    at::Tensor uncertain = at::empty_like(result.probability);
    for (std::int64_t slice = 0; slice < uncertain.size(0); ++slice) {  // takes less memory at once
      uncertain[slice] = entropy(result.probability[slice]);
    }
    data::write_volume(path_of(options, uncertainty(options), input), volume, uncertain);
  }
  if (makes_dicom_seg(options, input)) {
    data::dicom::write_segmentation(
        path_of(options, dicom_seg(options), input), volume.dicom_frames(),
        data::as_voxels(result.labels, volume.slicing()), classes, options.volumes.limits);
  }
  data::write_volume(mask_path(options, input), volume,
                     data::volume_values(result.labels, classes));
}

}  // namespace leaf
