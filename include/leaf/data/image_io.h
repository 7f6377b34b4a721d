#pragma once

#include <ATen/core/TensorBody.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/data/intensity.h"
#include "leaf/data/mask_classes.h"
#include "leaf/data/picture.h"

namespace leaf::data {

/// A picture as a viewer shows it.
struct LoadedImage {
  at::Tensor rgb;  ///< uint8 [H,W,3]
  /// What the file states, 1 to 8.
  int exif_orientation = 1;
};

/// Brings what was made on the picture as displayed, [H,W] or [H,W,C] of any type, back to the
/// stored pixels: for orientations 5 to 8 height and width change places.
at::Tensor undo_orientation(const at::Tensor& displayed, int orientation);

struct ImageSize {
  std::int64_t height = 0;
  std::int64_t width = 0;
  bool operator==(const ImageSize&) const = default;
};

struct ImageOptions {
  Intensity intensity;
  PictureLimits limits;
};

/// Reads a picture as a viewer shows it: grey and palette pictures become RGB, alpha is dropped and
/// the colour under it left as stored, values become bytes as `options.intensity` says, and the
/// orientation that the file states, in whatever format, is applied. Throws DataError as of
/// read_picture, and for values that the intensity does not fit.
LoadedImage read_image(const std::filesystem::path& path, const ImageOptions& options = {});

/// The same for a file in memory, which errors call `name`.
LoadedImage decode_image(std::string_view bytes, const std::string& name,
                         const ImageOptions& options = {});

/// Writes uint8 [H,W] (grey) or [H,W,3] (RGB) as PNG, atomically; throws FileError when that fails.
void write_png(const std::filesystem::path& path, const at::Tensor& image);

/// The same as JPEG, quality 1 to 100.
void write_jpeg(const std::filesystem::path& path, const at::Tensor& image, int quality = 92);

/// A picture to look at: the outline of `mask` (uint8 [H,W], not 0 is foreground) in yellow and of
/// `truth`, where given, in green on `rgb` (uint8 [H,W,3]). -> uint8 [H,W,3]
at::Tensor overlay(const at::Tensor& rgb, const at::Tensor& mask,
                   const std::optional<at::Tensor>& truth = std::nullopt);

/// The same, the inside of the mask tinted, too.
at::Tensor filled_overlay(const at::Tensor& rgb, const at::Tensor& mask);

/// Red, green and blue of the pictures that people look at; not those of the latent model's image.
using ClassColour = std::array<std::uint8_t, 3>;

/// The colour of a class by its place in the list; the background's is black.
ClassColour class_colour(std::size_t index);

/// overlay() of label maps. Of several classes each has an outline in its colour, its truth the
/// same nearer to white, and a strip below the picture names them: uint8 [H + some,W,3].
at::Tensor class_overlay(const at::Tensor& rgb, const at::Tensor& labels,
                         const MaskClasses& classes,
                         const std::optional<at::Tensor>& truth = std::nullopt);

/// filled_overlay() of label maps: the same without truth, the inside of each class tinted, too.
at::Tensor filled_class_overlay(const at::Tensor& rgb, const at::Tensor& labels,
                                const MaskClasses& classes);

/// The bytes of a PNG file of uint8 [H,W] (grey) or [H,W,3] (RGB), or of int32 [H,W] from 0 to
/// 65535 (grey of 16 bits). Throws Error if libpng refuses, as it does empty pictures.
std::string encode_png(const at::Tensor& image);

/// The bytes of a JPEG file of uint8 [H,W] or [H,W,3], quality 1 to 100.
/// Throws Error if libjpeg refuses, as it does more than 65500 pixels a side.
std::string encode_jpeg(const at::Tensor& image, int quality = 92);

/// Height and width of uint8 [H,W] or [H,W,3].
ImageSize size_of(const at::Tensor& image);

/// True for names that end as those of the formats that are read (.png .jpg .jpeg .tif .tiff .bmp
/// .webp .dcm), in any case; hidden files are none. No file is looked at.
bool has_image_extension(const std::filesystem::path& path);

/// True for names with such an extension, and for DICOM files without any or with a number for one,
/// which it opens; hidden files are none.
bool is_image_file(const std::filesystem::path& path);

/// The image files of a folder (and of all below it) in natural order: 2 before 10. Throws
/// DataError when the folder is missing or holds none.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& folder, bool recursive);

/// Order of file names as people expect it: runs of digits compare as numbers.
bool natural_less(const std::string& a, const std::string& b);

}  // namespace leaf::data
