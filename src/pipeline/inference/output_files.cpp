#include "output_files.h"

#include <ATen/ATen.h>

#include "coco.h"
#include "data/transforms.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/data/label_maps.h"
#include "leaf/data/maps.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using Options = FolderInferenceOptions;

/// What is written beside the mask, by this call's options.
struct Extra {
  const char* folder;
  const char* extension;
  bool wanted;
};

Extra probabilities(const Options& options) {
  const bool npy = options.probabilities == ProbabilityFormat::kNpy;
  return {"probabilities", npy ? ".npy" : ".png",
          options.probabilities != ProbabilityFormat::kNone};
}
Extra uncertainty(const Options& options) {
  return {"uncertainty", ".png", options.mask.seeds > 1};
}
Extra overlay(const Options& options) { return {"overlays", ".jpg", options.overlays}; }
Extra contours(const Options& options) { return {"contours", ".json", options.contours}; }

fs::path path_of(const Options& options, const Extra& extra, const InferenceInput& input) {
  return options.output / extra.folder / (input.name.string() + extra.extension);
}

void write_probability(const fs::path& path, const at::Tensor& probability,
                       ProbabilityFormat format) {
  switch (format) {
    case ProbabilityFormat::kNone:
      break;
    case ProbabilityFormat::k8:
      data::write_png(path, probability.mul(255).round().clamp(0, 255).to(at::kByte));
      break;
    case ProbabilityFormat::k16:
      data::write_png16(path, probability);
      break;
    case ProbabilityFormat::kNpy:
      data::write_npy(path, probability);
      break;
  }
}

void write_overlay(const fs::path& path, const PreparedFile& file, const at::Tensor& mask,
                   const data::MaskClasses& classes) {
  const bool fits = data::size_of(file.rgb) == data::size_of(mask);
  const at::Tensor picture = fits ? file.rgb : data::resize_image(file.rgb, mask.size(0));
  data::write_jpeg(path, data::class_overlay(picture, mask, classes));
}

}  // namespace

fs::path mask_path(const FolderInferenceOptions& options, const InferenceInput& input) {
  return options.output / (input.name.string() + ".png");
}

std::vector<fs::path> output_files(const FolderInferenceOptions& options,
                                   const InferenceInput& input) {
  std::vector<fs::path> files;
  for (const Extra& extra :
       {probabilities(options), uncertainty(options), overlay(options), contours(options)}) {
    if (extra.wanted) {
      files.push_back(path_of(options, extra, input));
    }
  }
  files.push_back(mask_path(options, input));
  return files;
}

void write_outputs(const FolderInferenceOptions& options, const data::MaskClasses& classes,
                   const InferenceInput& input, const PreparedFile& file,
                   const Segmentation& displayed) {
  const Segmentation stored = as_stored(displayed, file.orientation);
  const auto path = [&](const Extra& extra) { return path_of(options, extra, input); };
  write_probability(path(probabilities(options)), stored.probability, options.probabilities);
  if (uncertainty(options).wanted) {
    data::write_png16(path(uncertainty(options)), entropy(stored.probability));
  }
  if (options.overlays) {
    write_overlay(path(overlay(options)), file, displayed.mask, classes);
  }
  if (options.contours) {
    write_file(path(contours(options)),
               coco_json(input.image.filename().string(), stored.mask, classes));
  }
  data::write_label_map(mask_path(options, input), stored.mask, classes);
}

}  // namespace leaf
