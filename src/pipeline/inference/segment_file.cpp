#include "leaf/pipeline/segment_file.h"

#include <ATen/ATen.h>

#include <numbers>

#include "data/exif.h"
#include "leaf/core/strings.h"
#include "pipeline/mask_codec.h"

namespace leaf {
namespace {

PreparedFile prepare_image(const Segmenter& segmenter, const data::LoadedImage& image) {
  PreparedFile file;
  file.input = segmenter.prepare(image.rgb);
  file.size = data::size_of(image.rgb);
  file.orientation = image.exif_orientation;
  return file;
}

/// `title` is what an error calls the image, `name` what its starting noise follows from.
Segmentation segment(const Segmenter& segmenter, const PreparedFile& file, const std::string& name,
                     const std::string& title, const MaskOptions& options) {
  const at::Tensor probability =
      mean_probability(segmenter, file.input.unsqueeze(0), {name}, options.seeds)[0];
  require_finite(probability, title);
  return as_stored(finish_file(segmenter, file, probability, options), file.orientation);
}

}  // namespace

Segmentation segment_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          const MaskOptions& options) {
  return segment(segmenter, prepare_file(segmenter, image), image.stem().string(), image.string(),
                 options);
}

Segmentation segment_image(const Segmenter& segmenter, const data::LoadedImage& image,
                           const std::string& name, const MaskOptions& options) {
  return segment(segmenter, prepare_image(segmenter, image), name, str("image '", name, "'"),
                 options);
}

PreparedFile prepare_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          bool keep_rgb) {
  const data::LoadedImage loaded = data::read_image(image, segmenter.image_options());
  PreparedFile file = prepare_image(segmenter, loaded);
  if (keep_rgb) {
    file.rgb = loaded.rgb;
  }
  return file;
}

Segmentation finish_file(const Segmenter& segmenter, const PreparedFile& file,
                         const at::Tensor& probability, const MaskOptions& options) {
  Segmentation result =
      options.size == OutputSize::kModel
          ? segmenter.finish(probability, probability.size(0), probability.size(1))
          : segmenter.finish(probability, file.size.height, file.size.width);
  result.mask = data::apply_postprocess(options.postprocess, result.mask);
  return result;
}

at::Tensor mean_probability(const Segmenter& segmenter, const at::Tensor& inputs,
                            const ImageNames& names, std::int64_t seeds) {
  const at::Tensor samples = segmenter.probabilities(inputs, names, seeds).select(2, 0);
  return seeds == 1 ? samples[0] : samples.mean(0);
}

at::Tensor entropy(const at::Tensor& probability) {
  const at::Tensor p = probability.clamp(0, 1);
  return (at::xlogy(p, p) + at::xlogy(1 - p, 1 - p)) * (-1 / std::numbers::ln2);
}

Segmentation as_stored(const Segmentation& displayed, int orientation) {
  return {data::undo_orientation(displayed.mask, orientation),
          data::undo_orientation(displayed.probability, orientation)};
}

}  // namespace leaf
