#include "output_files.h"

#include <ATen/ATen.h>

#include <string>

#include "data/transforms.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/data/label_maps.h"
#include "leaf/data/maps.h"
#include "leaf/data/postprocess.h"
#include "leaf/pipeline/contour_files.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using Options = FolderInferenceOptions;

constexpr const char* kUncertainty = "16";  // its writer

/// What is written beside the mask, by this call's options.
struct Extra {
  const char* folder;
  std::string extension;
  bool wanted;
};

Extra probabilities(const Options& options) {
  const data::MapWriter* writer = options.probabilities;
  return {"probabilities", writer != nullptr ? writer->extension : "", writer != nullptr};
}
Extra uncertainty(const Options& options) {
  return {"uncertainty", ".png", options.mask.seeds > 1};
}
Extra overlay(const Options& options) {
  return {"overlays", ".jpg", options.overlays != OverlayStyle::kNone};
}
Extra contours(const Options& options) {
  const bool geojson = options.contours == ContourFormat::kGeoJson;
  return {"contours", geojson ? ".geojson" : ".json", options.contours != ContourFormat::kNone};
}
Extra labels(const Options& options) { return {"labels", ".png", options.labels}; }

std::vector<Extra> all_extras(const Options& options) {
  return {probabilities(options), uncertainty(options), overlay(options), contours(options),
          labels(options)};
}

fs::path path_of(const Options& options, const Extra& extra, const InferenceInput& input) {
  return options.output / extra.folder / (input.name.string() + extra.extension);
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
  return options.output / (input.name.string() + ".png");
}

std::vector<fs::path> output_files(const FolderInferenceOptions& options,
                                   const InferenceInput& input) {
  std::vector<fs::path> files;
  for (const Extra& extra : all_extras(options)) {
    if (extra.wanted) {
      files.push_back(path_of(options, extra, input));
    }
  }
  files.push_back(mask_path(options, input));
  return files;
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
                    *data::find_map_writer(kUncertainty, "uncertainty"));
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
  data::write_label_map(mask_path(options, input), stored.mask, classes);
}

}  // namespace leaf
