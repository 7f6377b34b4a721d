#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>
#include <optional>
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

/// How several noise samples become one probability. kMean: as the mean of theirs. kStaple: as the
/// probability that STAPLE (Warfield, 2004) estimates from their masks; its mask is what exceeds
/// 0.5.
enum class Ensemble { kMean, kStaple };
inline EnumNames<Ensemble> enum_names(Ensemble /*tag*/) {
  return {{Ensemble::kMean, "mean"}, {Ensemble::kStaple, "staple"}};
}

/// How an image is cut into square tiles that the network sees one by one, for images much larger
/// than the model's square. Their probabilities are blended by Gaussian weights.
struct Tiling {
  /// Pixels of the image along a tile's side; 0: the model's resolution, so that the network sees
  /// the image's own pixels.
  std::int64_t side = 0;
  /// Share of a tile that its neighbours have too, at least; 0 to 0.9.
  double overlap = 0.5;
};

/// How a mask is made of an image.
struct MaskOptions {
  OutputSize size = OutputSize::kOriginal;
  /// Noise samples, 1 or more: of several, `ensemble` says how they become one.
  std::int64_t seeds = 1;
  Ensemble ensemble = Ensemble::kMean;
  /// Without it the network sees the whole image at once, resized.
  std::optional<Tiling> tiling;
  /// Applied to the mask, in this order; the probability stays.
  data::Postprocess postprocess;
};

/// Throws ConfigError where options do not go together or are out of their range.
void check_mask_options(const MaskOptions& options);

/// The same, and where they do not go with a model of these classes.
void check_mask_options(const MaskOptions& options, const data::MaskClasses& classes);

/// Segments an image file: the network sees the picture as a viewer shows it, mask and probability
/// fit the pixels as the file stores them (an EXIF orientation is undone). Throws DataError, naming
/// the file, for one that cannot be read and for a result that is not finite. May be called from
/// several threads at once.
Segmentation segment_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          const MaskOptions& options = {});

/// The same for an image that was read by the segmenter's image_options(); its starting noise
/// follows from `name`, a file's name without extension.
Segmentation segment_image(const Segmenter& segmenter, const data::LoadedImage& image,
                           const std::string& name, const MaskOptions& options = {});

/// The steps of segment_file(), for callers that put several files into one batch:
/// prepare_file(), ensemble_probability(), finish_file(), as_stored().
struct PreparedFile {
  at::Tensor input;      ///< float [3, R, R] in [0, 1]; undefined unless it was asked for
  at::Tensor rgb;        ///< uint8 [H, W, 3] as displayed; the same
  data::ImageSize size;  ///< as displayed
  int orientation = 1;   ///< what undo_orientation (image_io.h) needs
};

/// What of a file is needed: the network's input, the pixels at full size (for overlays and tiles).
struct Wanted {
  bool input = true;
  bool rgb = false;
};

/// Of an image that was read by the segmenter's image_options().
PreparedFile prepare_image(const Segmenter& segmenter, const data::LoadedImage& image,
                           const Wanted& wanted = {});

/// Reads a file.
PreparedFile prepare_file(const Segmenter& segmenter, const std::filesystem::path& image,
                          const Wanted& wanted = {});

/// inputs [N, 3, R, R] of N names -> probability of the ensemble of noise samples [N, C, R, R].
/// Throws ConfigError for STAPLE of several classes.
at::Tensor ensemble_probability(const Segmenter& segmenter, const at::Tensor& inputs,
                                const ImageNames& names, const MaskOptions& options);

/// probability [C, R, R], with tiles [C, H, W] -> mask and probability for the displayed picture.
Segmentation finish_file(const Segmenter& segmenter, const PreparedFile& file,
                         const at::Tensor& probability, const MaskOptions& options);

/// Of foreground or background, in bits: 0 where the probability is 0 or 1, 1 where it is 0.5.
at::Tensor entropy(const at::Tensor& probability);

/// Turns what fits the displayed picture so that it fits the stored pixels.
Segmentation as_stored(const Segmentation& displayed, int orientation);

}  // namespace leaf
