#include "leaf/pipeline/segment_file.h"

#include <ATen/ATen.h>

#include "leaf/data/exif.h"
#include "leaf/pipeline/mask_codec.h"

namespace leaf {

Segmentation segment_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          OutputSize size) {
  const PreparedFile file = prepare_file(segmenter, image);
  const at::Tensor probability = segmenter.probability(file.input.unsqueeze(0))[0][0];
  require_finite(probability, image.string());
  return as_stored(finish_file(segmenter, file, probability, size), file.orientation);
}

PreparedFile prepare_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          bool keep_rgb) {
  const data::LoadedImage loaded = data::read_image(image);
  PreparedFile file;
  file.input = segmenter.prepare(loaded.rgb);
  file.size = data::size_of(loaded.rgb);
  file.orientation = loaded.exif_orientation;
  if (keep_rgb) {
    file.rgb = loaded.rgb;
  }
  return file;
}

Segmentation finish_file(const Segmenter& segmenter, const PreparedFile& file,
                         const at::Tensor& probability, OutputSize size) {
  return size == OutputSize::kModel
             ? segmenter.finish(probability, probability.size(0), probability.size(1))
             : segmenter.finish(probability, file.size.height, file.size.width);
}

Segmentation as_stored(const Segmentation& displayed, int orientation) {
  return {data::undo_orientation(displayed.mask, orientation),
          data::undo_orientation(displayed.probability, orientation)};
}

}  // namespace leaf
