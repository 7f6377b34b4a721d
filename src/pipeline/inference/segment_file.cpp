#include "leaf/pipeline/segment_file.h"

#include <ATen/ATen.h>

#include <numbers>
#include <vector>

#include "data/exif.h"
#include "leaf/core/strings.h"
#include "leaf/data/label_maps.h"
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

/// Of several classes each is changed by itself; where they then meet, the later one stays.
at::Tensor postprocessed(const at::Tensor& mask, const data::Postprocess& steps,
                         const data::MaskClasses& classes) {
  if (steps.empty() || !classes.several()) {
    return data::apply_postprocess(steps, mask);
  }
  at::Tensor result = at::zeros_like(mask);
  for (std::size_t index = 1; index < classes.list.size(); ++index) {
    const at::Tensor region = data::class_region(mask, index, classes).to(at::kByte).mul_(255);
    result.masked_fill_(data::apply_postprocess(steps, region).ne(0),
                        static_cast<std::int64_t>(index));
  }
  return result;
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
          ? segmenter.finish(probability, probability.size(1), probability.size(2))
          : segmenter.finish(probability, file.size.height, file.size.width);
  result.mask = postprocessed(result.mask, options.postprocess, segmenter.classes());
  return result;
}

at::Tensor mean_probability(const Segmenter& segmenter, const at::Tensor& inputs,
                            const ImageNames& names, std::int64_t seeds) {
  const at::Tensor samples = segmenter.probabilities(inputs, names, seeds);
  return seeds == 1 ? samples[0] : samples.mean(0);
}

at::Tensor entropy(const at::Tensor& probability) {
  const at::Tensor p = probability.clamp(0, 1);
  return (at::xlogy(p, p) + at::xlogy(1 - p, 1 - p)) * (-1 / std::numbers::ln2);
}

Segmentation as_stored(const Segmentation& displayed, int orientation) {
  Segmentation stored{data::undo_orientation(displayed.mask, orientation),
                      data::undo_orientation(displayed.probability, orientation),
                      {}};
  std::vector<at::Tensor> planes;
  for (const at::Tensor& plane : displayed.classes.unbind()) {
    planes.push_back(data::undo_orientation(plane, orientation));
  }
  stored.classes = planes.size() == 1 ? stored.probability.unsqueeze(0) : at::stack(planes);
  return stored;
}

}  // namespace leaf
