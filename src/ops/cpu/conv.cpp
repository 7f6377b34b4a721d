#include "conv.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "conv_work.h"
#include "work_queue.h"

namespace leaf::ops::cpu {
namespace {

/// Tiles whose transforms stay in the cache.
std::int64_t most_tiles(const ConvProblem& problem) {
  constexpr std::int64_t kCache = 192 * 1024;  // floats
  constexpr std::int64_t kStep = 12;           // rows that one pass over the filters serves
  const std::int64_t length = row_length(problem.form, problem.kernel, problem.channels);
  const std::int64_t fitting = kCache / (form_shape(problem.form).planes * row_stride(length));
  return std::clamp<std::int64_t>(fitting / kStep * kStep, kStep, 4 * kStep);
}

/// Each thread takes blocks of tiles and passes all filters over them: for maps that outweigh the
/// filters.
bool run_by_tiles(const ConvProblem& problem) {
  const std::int64_t length = row_length(problem.form, problem.kernel, problem.channels);
  // Equal blocks, as many for each thread.
  const std::int64_t threads = at::get_num_threads();
  const std::int64_t rounds = divide_up(problem.tiles, threads * most_tiles(problem));
  const std::int64_t each = divide_up(problem.tiles, threads * rounds);
  std::atomic<bool> finite = true;
  share_work(divide_up(problem.tiles, each), [&](WorkQueue& blocks) {
    const TileBuffer buffer(problem.form, each, length);
    const ThreadMemory memory(problem, each);
    while (const auto block = blocks.take()) {
      const std::int64_t first = *block * each;
      const std::int64_t count = std::min(each, problem.tiles - first);
      transform_tiles(problem, first, count, buffer.from(0));
      for (std::int64_t panel = 0; panel < panel_count(problem.out_channels); ++panel) {
        if (!multiply_panel(problem, first, count, buffer.from(0), panel, memory.workspace())) {
          finite = false;
        }
      }
    }
  });
  return finite;
}

/// Equal blocks of at most `most`.
std::int64_t block_size(std::int64_t total, std::int64_t most) {
  return divide_up(total, divide_up(total, most));
}

/// Tiles first .. first + count - 1 are transformed, then each thread takes panels of filters.
bool run_panels(const ConvProblem& problem, std::int64_t start, std::int64_t total,
                const TileBuffer& buffer) {
  constexpr std::int64_t kMost = 96;        // tiles at a time: their products stay in the cache
  constexpr std::int64_t kTransformed = 4;  // tiles at a time: little enough to share out evenly
  share_work(divide_up(total, kTransformed), [&](WorkQueue& blocks) {
    while (const auto block = blocks.take()) {
      const std::int64_t first = *block * kTransformed;
      transform_tiles(problem, start + first, std::min(kTransformed, total - first),
                      buffer.from(first));
    }
  });
  const std::int64_t each = block_size(total, kMost);
  std::atomic<bool> finite = true;
  share_work(panel_count(problem.out_channels), [&](WorkQueue& panels) {
    const ThreadMemory memory(problem, each);
    while (const auto panel = panels.take()) {
      for (std::int64_t first = 0; first < total; first += each) {
        if (!multiply_panel(problem, start + first, std::min(each, total - first),
                            buffer.from(first), *panel, memory.workspace())) {
          finite = false;
        }
      }
    }
  });
  return finite;
}

/// Many tiles at a time, so that each filter is fetched once or a few times: for filters that
/// outweigh the map.
bool run_by_panels(const ConvProblem& problem) {
  constexpr std::int64_t kMost = 512;  // bounds the memory that transformed tiles take
  const std::int64_t each = block_size(problem.tiles, kMost);
  const TileBuffer buffer(
      problem.form, each, row_length(problem.form, problem.kernel, problem.channels),
      /*stretches=*/problem.layout == FilterLayout::kTaps && problem.form != ConvForm::kDirect);
  bool finite = true;
  for (std::int64_t start = 0; start < problem.tiles; start += each) {
    finite &= run_panels(problem, start, std::min(each, problem.tiles - start), buffer);
  }
  return finite;
}

/// Whether the map outweighs the filters; or, where one block for each thread holds it, whether
/// that takes less time than panels of filters, which may be too few for the threads.
bool prefers_tiles(const ConvProblem& problem) {
  // Fetching a panel's filters takes as long as so many tiles.
  constexpr std::int64_t kFilterTiles = 4;
  const std::int64_t threads = at::get_num_threads();
  const std::int64_t panels = panel_count(problem.out_channels);
  const std::int64_t share = divide_up(problem.tiles, threads);
  return problem.tiles > problem.out_channels * form_shape(problem.form).phases ||
         (share <= most_tiles(problem) &&
          panels * (share + kFilterTiles) <
              divide_up(panels, threads) * (problem.tiles + kFilterTiles));
}

const float* data_or_null(const at::Tensor& t) {
  return t.defined() ? t.const_data_ptr<float>() : nullptr;
}

}  // namespace

ConvSize conv_size(const at::Tensor& x, std::int64_t out_channels) {
  return {.images = x.size(0),
          .map = {.height = x.size(2), .width = x.size(3)},
          .channels = x.size(1),
          .out_channels = out_channels};
}

ConvResult packed_conv(const at::Tensor& x, const PackedFilters& filters,
                       const ConvFusion& fusion) {
  const auto [height, width] = output_size({.height = x.size(2), .width = x.size(3)}, filters.form,
                                           filters.kernel, filters.geometry);
  ConvResult result{.y = at::empty({x.size(0), filters.out_channels, height, width},
                                   x.options().memory_format(at::MemoryFormat::ChannelsLast)),
                    .finite = true};
  ConvProblem problem = make_problem(x, filters, result.y);
  problem.silu_maps = data_or_null(fusion.silu_maps);
  problem.panels = filters.panels.const_data_ptr<float>();
  problem.bias = data_or_null(fusion.bias);
  problem.residual = data_or_null(fusion.residual);
  problem.relu = fusion.relu;
  problem.y = result.y.mutable_data_ptr<float>();
  result.finite = prefers_tiles(problem) ? run_by_tiles(problem) : run_by_panels(problem);
  return result;
}

}  // namespace leaf::ops::cpu
