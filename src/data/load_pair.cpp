#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/exif.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/dataset.h"
#include "leaf/data/volume.h"
#include "mask_samples.h"
#include "nnunet_dataset.h"
#include "volume_pairs.h"

namespace leaf::data {
namespace {

std::string size_text(ImageSize size) { return str(size.width, "x", size.height); }

ImageSize turned_size(ImageSize size, int orientation) {
  return orientation >= 5 ? ImageSize{size.width, size.height} : size;
}

[[noreturn]] void refuse_size(const Pair& pair, ImageSize mask, ImageSize image,
                              bool the_other_way) {
  throw DataError(str("mask '", pair.mask.string(), "' is ", size_text(mask), " but its image '",
                      pair.image.string(), "' is ", size_text(image),
                      the_other_way ? "; set DataConfig::mask_orientation: auto"
                                    : "; resize one of them or pair the right files"));
}

MaskRemark either_way_remark(const Pair& pair, int orientation) {
  return {MaskOddity::kEitherWay, str("mask '", pair.mask.string(), "'"),
          str("fits its turned photograph (orientation ", orientation,
              ") as stored and as displayed; it is taken as stored: set "
              "DataConfig::mask_orientation to "
              "stored or displayed")};
}

/// The orientation that brings a mask's stored pixels to the displayed image. What the mask's own
/// file says comes first.
int mask_turn(Mask& mask, const LoadedImage& image, const Pair& pair, MaskOrientation rule) {
  if (mask.orientation != 1 || image.exif_orientation == 1) {
    return mask.orientation;
  }
  if (rule != MaskOrientation::kAuto) {
    return rule == MaskOrientation::kStored ? image.exif_orientation : 1;
  }
  const ImageSize wanted = size_of(image.rgb);
  const ImageSize size = size_of(mask.labels);
  const bool as_stored = turned_size(size, image.exif_orientation) == wanted;
  if (as_stored && size == wanted) {
    mask.remarks.push_back(either_way_remark(pair, image.exif_orientation));
  }
  return as_stored || size != wanted ? image.exif_orientation : 1;
}

/// Brings a mask into the displayed orientation of its image.
Mask fit_mask(Mask mask, const LoadedImage& image, const Pair& pair, MaskOrientation rule) {
  const int turn = mask_turn(mask, image, pair, rule);
  const ImageSize stored = size_of(mask.labels);
  const ImageSize wanted = size_of(image.rgb);
  if (turned_size(stored, turn) != wanted) {
    const bool the_other_way =
        mask.orientation == 1 && turned_size(stored, image.exif_orientation) == wanted;
    refuse_size(pair, stored, wanted, the_other_way || stored == wanted);
  }
  return turned(std::move(mask), turn);
}

struct Box {
  std::int64_t top, left, height, width;
};

/// The smallest box round the disc of a label map, cup included; nothing where there is none.
std::optional<Box> disc_box(const MaskValues& mask) {
  const std::int64_t width = mask.values.size(1);
  const double background = 192 * mask.white / 255;  // between the disc's 128 and 255
  std::int64_t top = -1, bottom = -1, left = width, right = -1;
  with_samples(mask.values, [&](const auto* value) {
    for (std::int64_t i = 0; i < mask.values.numel(); ++i) {
      if (static_cast<double>(value[i]) < background) {
        top = top < 0 ? i / width : top;
        bottom = i / width;
        left = std::min(left, i % width);
        right = std::max(right, i % width);
      }
    }
  });
  return top < 0 ? std::nullopt : std::optional(Box{top, left, bottom - top + 1, right - left + 1});
}

/// Where a crop of `side` begins that has its middle where `begin` and `length` have theirs, moved
/// to lie within `whole`.
std::int64_t crop_begin(std::int64_t begin, std::int64_t length, std::int64_t side,
                        std::int64_t whole) {
  const std::int64_t middle = (2 * begin + length - side) / 2;
  return std::clamp<std::int64_t>(middle, 0, whole - side);
}

/// The square round the disc, its longer side and the margin on each side; smaller where the
/// picture is.
Box crop_box(const Pair& pair, const MaskValues& mask, double margin) {
  const std::optional<Box> disc = disc_box(mask);
  if (!disc) {
    throw DataError(str("label map '", pair.mask.string(),
                        "' has no disc (0 or 128) for DataConfig::crop "
                        "to cut out; remove it and its image"));
  }
  const auto longer = static_cast<double>(std::max(disc->height, disc->width));
  const std::int64_t most = std::max(mask.values.size(0), mask.values.size(1));
  const auto side = static_cast<std::int64_t>(
      std::min(static_cast<double>(most), std::round(longer * (1 + 2 * margin))));
  const std::int64_t height = std::min(side, mask.values.size(0));
  const std::int64_t width = std::min(side, mask.values.size(1));
  return {crop_begin(disc->top, disc->height, height, mask.values.size(0)),
          crop_begin(disc->left, disc->width, width, mask.values.size(1)), height, width};
}

void cut(at::Tensor& pixels, const Box& box) {
  if (pixels.defined()) {
    pixels = pixels.narrow(0, box.top, box.height).narrow(1, box.left, box.width).contiguous();
  }
}

/// A channel in a file of its own, [H,W].
at::Tensor grey_of(const LoadedImage& channel, const std::filesystem::path& file) {
  const at::Tensor grey = channel.rgb.select(2, 0);
  if (!grey.equal(channel.rgb.select(2, 1)) || !grey.equal(channel.rgb.select(2, 2))) {
    throw DataError(str("'", file.string(),
                        "' has colours, and is one of several channels in files of their own; "
                        "make it grey"));
  }
  return grey;
}

/// Two or three channels as one picture; of two, blue is 0.
LoadedImage joined(const std::vector<LoadedImage>& channels,
                   const std::vector<std::filesystem::path>& files) {
  std::vector<at::Tensor> planes;
  const ImageSize size = size_of(channels.front().rgb);
  for (std::size_t c = 0; c < channels.size(); ++c) {
    if (const ImageSize other = size_of(channels[c].rgb); other != size) {
      throw DataError(str("'", files[c].string(), "' is ", size_text(other), " but '",
                          files.front().string(), "', another channel of the image, is ",
                          size_text(size), "; give them one size"));
    }
    planes.push_back(grey_of(channels[c], files[c]));
  }
  planes.resize(3, at::zeros_like(planes.front()));
  return {at::stack(planes, 2), channels.front().exif_orientation};
}

LoadedImage read_image_of(const Pair& pair, const std::vector<std::filesystem::path>& files,
                          const Intensity& intensity, VolumeShelf& volumes) {
  std::vector<LoadedImage> channels;
  for (const std::filesystem::path& file : files) {
    channels.push_back(
        pair.slice ? read_slice(*volumes.open(file, files.size() + 1), *pair.slice, intensity)
                   : read_image(file, {.intensity = intensity, .limits = {}}));
  }
  return channels.size() == 1 ? channels.front() : joined(channels, files);
}

Mask read_mask_of(const Pair& pair, std::size_t files, const MaskOptions& options,
                  VolumeShelf& volumes) {
  return pair.slice ? interpret_mask(volumes.open(pair.mask, files + 1)->slice(*pair.slice),
                                     slice_name(pair.mask.string(), *pair.slice), options)
                    : load_mask(pair.mask, options);
}

}  // namespace

MaskOptions mask_options(MaskRule rule, const DataConfig& config) {
  MaskOptions options;
  options.rule = rule;
  options.threshold = config.mask_threshold;
  options.ignore_value = config.ignore_value;
  options.classes = config.classes;
  return options;
}

LoadedPair load_pair(const Pair& pair, const DataConfig& config) {
  VolumeShelf volumes(config.slice_axis);
  return load_pair(pair, config, volumes);
}

LoadedPair load_pair(const Pair& pair, const DataConfig& config, VolumeShelf& volumes) {
  const std::vector<std::filesystem::path> files =
      config.dataset == "nnunet" ? channel_files(pair.image) : std::vector{pair.image};
  LoadedPair loaded;
  loaded.image = read_image_of(pair, files, config.intensity, volumes);
  Mask mask = fit_mask(read_mask_of(pair, files.size(), mask_options(pair.rule, config), volumes),
                       loaded.image, pair, config.mask_orientation);
  if (config.crop == Crop::kDisc) {
    const Box box = crop_box(pair, mask.values, config.crop_margin);
    for (at::Tensor* pixels : {&loaded.image.rgb, &mask.labels, &mask.ignored}) {
      cut(*pixels, box);
    }
  }
  loaded.labels = mask.labels;
  loaded.ignored = mask.ignored;
  loaded.remarks = std::move(mask.remarks);
  return loaded;
}

}  // namespace leaf::data
