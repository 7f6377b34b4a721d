#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "leaf/pipeline/segment_file.h"

namespace leaf {

/// One direction of an image, cut into tiles.
struct TileAxis {
  std::vector<std::int64_t> begins;  ///< of each tile, evenly spread
  /// Of each tile, float32 at its pixels inside the image: a Gaussian around its middle, scaled so
  /// that all tiles' weights at a pixel add up to 1.
  std::vector<at::Tensor> weights;
};

/// `length` pixels in tiles of `side`, of which neighbours share `overlap` at least; a tile of its
/// own for a length up to `side`.
TileAxis tile_axis(std::int64_t length, std::int64_t side, double overlap);

/// An image's tiles as the network sees them, and their names.
struct TileGrid {
  std::int64_t side = 0;
  TileAxis rows;
  TileAxis columns;

  TileGrid(const Segmenter& segmenter, const at::Tensor& rgb, const Tiling& tiling);
  std::int64_t count() const;
};

/// inputs [N,3,R,R] of N names -> probability [N,C,R,R]; undefined where the work is to end.
using RunNetwork = std::function<at::Tensor(const at::Tensor& inputs, const ImageNames& names)>;

/// rgb uint8 [H,W,3] -> probability float32 [C,H,W], blended from tiles, of which `run` gets at
/// most `batch` at a time. What a tile lacks of the image is repeated from its border. The first
/// tile has the image's name, the others "NAME@TOP,LEFT": their starting noise follows from it.
/// Undefined when `run` says so.
at::Tensor tiled_probability(const Segmenter& segmenter, const at::Tensor& rgb,
                             const std::string& name, const TileGrid& grid,
                             const std::size_t& batch, const RunNetwork& run);

}  // namespace leaf
