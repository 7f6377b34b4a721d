#include "tiles.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "data/transforms.h"
#include "leaf/core/strings.h"
#include "pipeline/mask_codec.h"

namespace leaf {
namespace {

/// float64 [side]; a deviation of an eighth of the side, as nnU-Net has it.
at::Tensor gaussian(std::int64_t side) {
  const double deviation = static_cast<double>(side) / 8;
  const at::Tensor from_middle =
      at::arange(side, at::kDouble) + (0.5 - static_cast<double>(side) / 2);
  return (from_middle / deviation).square().mul(-0.5).exp();
}

/// A tile's place in the image.
struct Tile {
  std::size_t row = 0;
  std::size_t column = 0;
};

std::string tile_name(const std::string& name, std::int64_t top, std::int64_t left) {
  return top == 0 && left == 0 ? name : str(name, "@", top, ",", left);
}

/// `side` places from `begin` on, the last one of the image again where it ends before.
at::Tensor places(std::int64_t begin, std::int64_t side, std::int64_t length) {
  return at::arange(begin, begin + side).clamp_max(length - 1);
}

/// uint8 [side,side,3] of an image.
at::Tensor cut(const at::Tensor& rgb, std::int64_t top, std::int64_t left, std::int64_t side) {
  const std::int64_t height = std::min(side, rgb.size(0) - top);
  const std::int64_t width = std::min(side, rgb.size(1) - left);
  const at::Tensor inside = rgb.narrow(0, top, height).narrow(1, left, width);
  if (height == side && width == side) {
    return inside.contiguous();
  }
  return inside.index_select(0, places(0, side, height)).index_select(1, places(0, side, width));
}

/// Adds tiles' probabilities [N,C,R,R] to the image's [C,H,W].
void blend(const at::Tensor& results, const std::vector<Tile>& tiles, const TileGrid& grid,
           at::Tensor& image) {
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    at::Tensor tile = results[static_cast<std::int64_t>(i)];
    if (tile.size(1) != grid.side) {
      tile = data::resize_probability(tile.contiguous(), grid.side, grid.side);
    }
    const at::Tensor& down = grid.rows.weights[tiles[i].row];
    const at::Tensor& across = grid.columns.weights[tiles[i].column];
    image.narrow(1, grid.rows.begins[tiles[i].row], down.size(0))
        .narrow(2, grid.columns.begins[tiles[i].column], across.size(0))
        .add_(tile.narrow(1, 0, down.size(0)).narrow(2, 0, across.size(0)) * down.unsqueeze(1) *
              across);
  }
}

}  // namespace

TileAxis tile_axis(std::int64_t length, std::int64_t side, double overlap) {
  TileAxis axis;
  const std::int64_t rest = std::max<std::int64_t>(0, length - side);
  const double step = std::max(1.0, static_cast<double>(side) * (1 - overlap));
  const auto steps = static_cast<std::int64_t>(std::ceil(static_cast<double>(rest) / step));
  for (std::int64_t i = 0; i <= steps; ++i) {
    axis.begins.push_back(steps == 0 ? 0 : (2 * i * rest + steps) / (2 * steps));
  }
  const std::int64_t inside = std::min(side, length);
  const at::Tensor weight = gaussian(side).narrow(0, 0, inside);
  const at::Tensor sum = at::zeros({length}, at::kDouble);
  for (const std::int64_t begin : axis.begins) {
    sum.narrow(0, begin, inside).add_(weight);
  }
  for (const std::int64_t begin : axis.begins) {
    axis.weights.push_back((weight / sum.narrow(0, begin, inside)).to(at::kFloat));
  }
  return axis;
}

TileGrid::TileGrid(const Segmenter& segmenter, const at::Tensor& rgb, const Tiling& tiling)
    : side(tiling.side > 0 ? tiling.side : segmenter.model().description.preprocessing.resolution),
      rows(tile_axis(rgb.size(0), side, tiling.overlap)),
      columns(tile_axis(rgb.size(1), side, tiling.overlap)) {}

std::int64_t TileGrid::count() const {
  return static_cast<std::int64_t>(rows.begins.size() * columns.begins.size());
}

at::Tensor tiled_probability(const Segmenter& segmenter, const at::Tensor& rgb,
                             const std::string& name, const TileGrid& grid,
                             const std::size_t& batch, const RunNetwork& run) {
  at::Tensor image =
      at::zeros({MaskCodec(segmenter.classes()).channels(), rgb.size(0), rgb.size(1)}, at::kFloat);
  const std::size_t count = grid.rows.begins.size() * grid.columns.begins.size();
  for (std::size_t begun = 0; begun < count;) {
    std::vector<Tile> tiles;
    std::vector<at::Tensor> inputs;
    ImageNames names;
    for (; tiles.size() < batch && begun < count; ++begun) {
      const Tile tile{begun / grid.columns.begins.size(), begun % grid.columns.begins.size()};
      const std::int64_t top = grid.rows.begins[tile.row];
      const std::int64_t left = grid.columns.begins[tile.column];
      inputs.push_back(segmenter.prepare(cut(rgb, top, left, grid.side)));
      names.push_back(tile_name(name, top, left));
      tiles.push_back(tile);
    }
    const at::Tensor results = run(at::stack(inputs), names);
    if (!results.defined()) {
      return {};
    }
    blend(results, tiles, grid, image);
  }
  return image.clamp_(0, 1);
}

}  // namespace leaf
