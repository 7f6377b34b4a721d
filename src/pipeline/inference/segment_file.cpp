#include "leaf/pipeline/segment_file.h"

#include <ATen/ATen.h>

#include <numbers>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/label_maps.h"
#include "pipeline/mask_codec.h"
#include "staple.h"
#include "tiles.h"

namespace leaf {
namespace {

/// Of several classes each is changed by itself: it grows into the background alone and, where
/// classes are nested, stays within the one around it.
at::Tensor postprocessed(const at::Tensor& mask, const data::Postprocess& steps,
                         const data::MaskClasses& classes) {
  if (steps.empty() || !classes.several()) {
    return data::apply_postprocess(steps, mask);
  }
  const bool nested = classes.coding == data::ClassCoding::kChannels;
  at::Tensor result = at::zeros_like(mask);
  at::Tensor around = at::ones_like(mask, at::kBool);
  for (std::size_t index = 1; index < classes.list.size(); ++index) {
    const at::Tensor region = data::class_region(mask, index, classes);
    const at::Tensor room = nested ? around : mask.eq(0).logical_or(region);
    const at::Tensor kept =
        data::apply_postprocess(steps, region.to(at::kByte).mul_(255)).ne(0).logical_and(room);
    result.masked_fill_(kept, static_cast<std::int64_t>(index));
    around = kept;
  }
  return result;
}

Wanted wanted_for(const MaskOptions& options) {
  return {.input = !options.tiling, .rgb = options.tiling.has_value()};
}

at::Tensor probability_of(const Segmenter& segmenter, const PreparedFile& file,
                          const std::string& name, const MaskOptions& options) {
  const auto run = [&](const at::Tensor& inputs, const ImageNames& names) {
    return ensemble_probability(segmenter, inputs, names, options);
  };
  if (!options.tiling) {
    return run(file.input.unsqueeze(0), {name})[0];
  }
  const TileGrid grid(segmenter, file.rgb, *options.tiling);
  return tiled_probability(segmenter, file.rgb, name, grid, 1, run);
}

/// `title` is what an error calls the image, `name` what its starting noise follows from.
Segmentation segment(const Segmenter& segmenter, const PreparedFile& file, const std::string& name,
                     const std::string& title, const MaskOptions& options) {
  check_mask_options(options, segmenter.classes());
  const at::Tensor probability = probability_of(segmenter, file, name, options);
  require_finite(probability, title);
  return as_stored(finish_file(segmenter, file, probability, options), file.orientation);
}

bool is_staple(const MaskOptions& options) {
  return options.ensemble == Ensemble::kStaple && options.seeds > 1;
}

/// samples [K,N,1,R,R] -> [N,1,R,R]; what is not finite stays so, for the caller to name.
at::Tensor staple_probability(const Segmenter& segmenter, const at::Tensor& samples) {
  std::vector<at::Tensor> results;
  for (std::int64_t i = 0; i < samples.size(1); ++i) {
    const at::Tensor one = samples.select(1, i);
    const bool finite = one.isfinite().all().item<bool>();
    results.push_back(finite ? staple(segmenter.labels(one)).probability.unsqueeze(0)
                             : one.mean(0));
  }
  return at::stack(results);
}

}  // namespace

void check_mask_options(const MaskOptions& options) {
  if (options.ensemble == Ensemble::kStaple && options.seeds < 2) {
    throw ConfigError("the ensemble 'staple' is of several noise samples; set seeds to 2 or more");
  }
  if (options.tiling && options.size == OutputSize::kModel) {
    throw ConfigError("tiles make a mask of the image's size; the output size 'model' has none");
  }
  constexpr std::int64_t kSmallest = 32;  // below it a tile shows nothing, and there are thousands
  if (options.tiling && !((options.tiling->side == 0 || options.tiling->side >= kSmallest) &&
                          options.tiling->overlap >= 0 && options.tiling->overlap <= 0.9)) {
    throw ConfigError(str("tiles of side ", options.tiling->side, " and overlap ",
                          options.tiling->overlap, "; the side is ", kSmallest,
                          " or more, or 0 for the model's, the overlap goes from 0 to 0.9"));
  }
}

void check_mask_options(const MaskOptions& options, const data::MaskClasses& classes) {
  check_mask_options(options);
  if (options.ensemble == Ensemble::kStaple && classes.several()) {
    throw ConfigError(str("the ensemble 'staple' is of two classes; the model has ",
                          classes.list.size(), ": use the ensemble 'mean'"));
  }
}

Segmentation segment_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          const MaskOptions& options) {
  return segment(segmenter, prepare_file(segmenter, image, wanted_for(options)),
                 data::without_extension(image.filename()).string(), image.string(), options);
}

Segmentation segment_image(const Segmenter& segmenter, const data::LoadedImage& image,
                           const std::string& name, const MaskOptions& options) {
  return segment(segmenter, prepare_image(segmenter, image, wanted_for(options)), name,
                 str("image '", name, "'"), options);
}

PreparedFile prepare_image(const Segmenter& segmenter, const data::LoadedImage& image,
                           const Wanted& wanted) {
  PreparedFile file;
  if (wanted.input) {
    file.input = segmenter.prepare(image.rgb);
  }
  if (wanted.rgb) {
    file.rgb = image.rgb;
  }
  file.size = data::size_of(image.rgb);
  file.orientation = image.exif_orientation;
  return file;
}

PreparedFile prepare_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          const Wanted& wanted) {
  return prepare_image(segmenter, data::read_image(image, segmenter.image_options()), wanted);
}

Segmentation finish_file(const Segmenter& segmenter, const PreparedFile& file,
                         const at::Tensor& probability, const MaskOptions& options) {
  Segmentation result =
      options.size == OutputSize::kModel
          ? segmenter.finish(probability, probability.size(1), probability.size(2))
          : segmenter.finish(probability, file.size.height, file.size.width);
  if (is_staple(options)) {  // the model's threshold was that of the samples
    result.mask = result.probability.gt(0.5).to(at::kByte).mul_(255);
  }
  result.mask = postprocessed(result.mask, options.postprocess, segmenter.classes());
  return result;
}

at::Tensor ensemble_probability(const Segmenter& segmenter, const at::Tensor& inputs,
                                const ImageNames& names, const MaskOptions& options) {
  const at::Tensor samples = segmenter.probabilities(inputs, names, options.seeds);
  if (options.seeds == 1) {
    return samples[0];
  }
  return is_staple(options) ? staple_probability(segmenter, samples) : samples.mean(0);
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
