#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>

#include "conv.h"
#include "conv_kernels.h"

namespace leaf::ops::cpu {

/// Panels that hold so many output channels.
std::int64_t panel_count(std::int64_t out_channels);

/// Geometry and tiles of filters on x that give y; the other pointers are null.
ConvProblem make_problem(const at::Tensor& x, const PackedFilters& filters, const at::Tensor& y);

/// Distance of transformed tiles: room for whole vectors, and for a panel's worth of gradients.
std::int64_t row_stride(std::int64_t length);

/// Memory for `count` transformed tiles of `length` numbers, all of a tile's or a stretch together.
class TileBuffer {
 public:
  TileBuffer(ConvForm form, std::int64_t count, std::int64_t length, bool stretches = false);
  Tiles from(std::int64_t tile) const;

 private:
  Tiles tiles_{};
  at::Tensor memory_;
};

/// One thread's memory for the products of `count` tiles, and for filters where they are
/// transformed on the way.
class ThreadMemory {
 public:
  ThreadMemory(const ConvProblem& problem, std::int64_t count);
  const Workspace& workspace() const { return workspace_; }

 private:
  at::Tensor memory_;
  Workspace workspace_{};
};

}  // namespace leaf::ops::cpu
