#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace leaf::data {

/// A picture as a viewer shows it.
struct LoadedImage {
  at::Tensor rgb;  ///< uint8 [H,W,3]
  /// What the file's EXIF data say (1 to 8); undo_orientation (exif.h) turns a mask back with it.
  int exif_orientation = 1;
};

struct ImageSize {
  std::int64_t height = 0;
  std::int64_t width = 0;
  bool operator==(const ImageSize&) const = default;
};

/// Which channel of a colour mask counts: the largest of the three, or green alone.
enum class MaskChannel { kLargest, kGreen };

/// Reads PNG, JPEG, TIFF or BMP as RGB: 16-bit values lose their low byte, grey and palette
/// pictures become RGB, alpha is dropped, the EXIF orientation of a JPEG is applied. DataError,
/// naming the file and the reason, for a file that is missing, a folder, no image, or truncated.
LoadedImage read_image(const std::filesystem::path& path);

/// Reads a mask as uint8 [H,W], in the order of the stored pixels (EXIF orientation is not
/// applied). 16-bit masks keep values up to 255 (labels); larger ones are scaled to 0..255. Errors
/// as above.
at::Tensor read_mask(const std::filesystem::path& path,
                     MaskChannel channel = MaskChannel::kLargest);

/// Writes uint8 [H,W] (grey) or [H,W,3] (RGB) as PNG, atomically; FileError when that fails.
void write_png(const std::filesystem::path& path, const at::Tensor& image);

/// The same as JPEG, quality 1 to 100.
void write_jpeg(const std::filesystem::path& path, const at::Tensor& image, int quality = 92);

/// A picture to look at: the outline of `mask` (uint8 [H,W], not 0 is foreground) in yellow and of
/// `truth`, where given, in green on `rgb` (uint8 [H,W,3]). -> uint8 [H,W,3]
at::Tensor overlay(const at::Tensor& rgb, const at::Tensor& mask,
                   const std::optional<at::Tensor>& truth = std::nullopt);

/// The bytes of a JPEG file of uint8 [H,W] or [H,W,3].
std::string encode_jpeg(const at::Tensor& image, int quality = 92);

/// Height and width of uint8 [H,W] or [H,W,3].
ImageSize size_of(const at::Tensor& image);

/// True for names that end in .png .jpg .jpeg .tif .tiff .bmp, in any case; hidden files are none.
bool is_image_file(const std::filesystem::path& path);

/// The image files of a folder (and of all below it) in natural order: 2 before 10. DataError when
/// the folder is missing or holds none.
std::vector<std::filesystem::path> list_images(const std::filesystem::path& folder, bool recursive);

/// Order of file names as people expect it: runs of digits compare as numbers.
bool natural_less(const std::string& a, const std::string& b);

}  // namespace leaf::data
