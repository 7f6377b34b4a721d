#pragma once

#include <ATen/core/TensorBody.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace leaf::data {

/// The outlines of a mask's groups of connected pixels (eight neighbours), as COCO has them: x, y,
/// x, y, ... in pixels, through the centres of the border's pixels. Groups without an inside, of
/// one pixel or one line, are their bounding boxes. Holes are not in them. mask: uint8 [H,W].
std::vector<std::vector<double>> outline_polygons(const at::Tensor& mask);

/// A closed line along the edges of pixels: x and y of its corners, the first one again at the end.
using Ring = std::vector<std::array<std::int64_t, 2>>;

/// A part of a mask whose pixels are connected to their four neighbours, to the pixel: pixel (x, y)
/// is the square from (x, y) to (x + 1, y + 1).
struct Region {
  Ring exterior;            ///< its signed area (shoelace formula) is positive
  std::vector<Ring> holes;  ///< theirs is negative
  std::int64_t pixels = 0;
};

/// All parts, none of whose rings touches itself. mask: uint8 [H,W].
std::vector<Region> trace_regions(const at::Tensor& mask);

/// The runs of a mask column by column, of background first: COCO's counts. mask: uint8 [H,W].
std::vector<std::int64_t> run_lengths(const at::Tensor& mask);

/// Run lengths in COCO's compressed text, as pycocotools has it.
std::string compressed_runs(const std::vector<std::int64_t>& counts);

}  // namespace leaf::data
