#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "leaf/core/enum_names.h"
#include "leaf/data/image_io.h"
#include "leaf/data/postprocess.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {

/// kOriginal: masks have the stored image's size. kModel: they have the model's, as validation
/// scores them.
enum class OutputSize { kOriginal, kModel };
inline EnumNames<OutputSize> enum_names(OutputSize /*tag*/) {
  return {{OutputSize::kOriginal, "original"}, {OutputSize::kModel, "model"}};
}

/// How a mask is made of an image.
struct MaskOptions {
  OutputSize size = OutputSize::kOriginal;
  /// Noise samples, 1 or more: of several, mask and probability are those of their mean.
  std::int64_t seeds = 1;
  /// Applied to the mask, in this order; the probability stays.
  data::Postprocess postprocess;
};

/// Segments an image file: the network sees the picture as a viewer shows it, mask and probability
/// fit the pixels as the file stores them (an EXIF orientation is undone). DataError, naming the
/// file, for one that cannot be read and for a result that is not finite. May be called from
/// several threads at once.
Segmentation segment_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          const MaskOptions& options = {});

/// The same for an image that was read by the segmenter's image_options(); its starting noise
/// follows from `name`, a file's name without extension.
Segmentation segment_image(const Segmenter& segmenter, const data::LoadedImage& image,
                           const std::string& name, const MaskOptions& options = {});

/// The steps of segment_file(), for callers that put several files into one batch:
/// prepare_file(), mean_probability(), finish_file(), as_stored().
struct PreparedFile {
  at::Tensor input;      ///< float [3, R, R] in [0, 1]
  at::Tensor rgb;        ///< uint8 [H, W, 3] as displayed; undefined unless it was to be kept
  data::ImageSize size;  ///< as displayed
  int orientation = 1;   ///< what undo_orientation (exif.h) needs
};

/// Reads a file; `keep_rgb` keeps its full-size pixels, for overlays.
PreparedFile prepare_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          bool keep_rgb = false);

/// inputs [N, 3, R, R] of N names -> mean probability of the noise samples [N, C, R, R].
at::Tensor mean_probability(const Segmenter& segmenter, const at::Tensor& inputs,
                            const ImageNames& names, std::int64_t seeds);

/// probability [C, R, R] -> mask and probability for the displayed picture.
Segmentation finish_file(const Segmenter& segmenter, const PreparedFile& file,
                         const at::Tensor& probability, const MaskOptions& options);

/// Of foreground or background, in bits: 0 where the probability is 0 or 1, 1 where it is 0.5.
at::Tensor entropy(const at::Tensor& probability);

/// Turns what fits the displayed picture so that it fits the stored pixels.
Segmentation as_stored(const Segmentation& displayed, int orientation);

}  // namespace leaf
