#include "output_files.h"

#include <ATen/ATen.h>

#include "leaf/data/image_io.h"
#include "leaf/data/transforms.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

fs::path probability_path(const FolderInferenceOptions& options, const InferenceInput& input) {
  return options.output / "probabilities" / (input.name.string() + ".png");
}

fs::path overlay_path(const FolderInferenceOptions& options, const InferenceInput& input) {
  return options.output / "overlays" / (input.name.string() + ".jpg");
}

void write_overlay(const fs::path& path, const PreparedFile& file, const at::Tensor& mask) {
  const bool fits = data::size_of(file.rgb) == data::size_of(mask);
  const at::Tensor picture = fits ? file.rgb : data::resize_image(file.rgb, mask.size(0));
  data::write_jpeg(path, data::overlay(picture, mask));
}

}  // namespace

fs::path mask_path(const FolderInferenceOptions& options, const InferenceInput& input) {
  return options.output / (input.name.string() + ".png");
}

std::vector<fs::path> output_files(const FolderInferenceOptions& options,
                                   const InferenceInput& input) {
  std::vector<fs::path> files;
  if (options.probabilities) {
    files.push_back(probability_path(options, input));
  }
  if (options.overlays) {
    files.push_back(overlay_path(options, input));
  }
  files.push_back(mask_path(options, input));
  return files;
}

void write_outputs(const FolderInferenceOptions& options, const InferenceInput& input,
                   const PreparedFile& file, const Segmentation& displayed) {
  const Segmentation stored = as_stored(displayed, file.orientation);
  if (options.probabilities) {
    data::write_png(probability_path(options, input),
                    stored.probability.mul(255).round().clamp(0, 255).to(at::kByte));
  }
  if (options.overlays) {
    write_overlay(overlay_path(options, input), file, displayed.mask);
  }
  data::write_png(mask_path(options, input), stored.mask);
}

}  // namespace leaf
