#pragma once

#include <cstdint>

// The inner loops of convolution on channels-last float32 maps, compiled for several instruction
// sets; the best one that the processor has is taken at run time. Callers own all memory and share
// out the work: every function may run on many threads for distinct tiles or panels, and how the
// work is cut never changes a result.
//
// All forms do the same three things with tiles of the map: a transform that writes a tile as n * n
// rows of numbers, n * n matrix products of those rows with the filters, and the way back.
namespace leaf::ops::cpu {

enum class ConvForm {
  kDirect,   ///< any kernel and stride: a tile is one position, its row all values under the kernel
  kF4x4,     ///< 3x3, stride 1, by F(4x4, 3x3): 36 products for 16 outputs, 4 times fewer
  kF6x6,     ///< the same by F(6x6, 3x3): 64 for 36, 5.1 times fewer
  kStride2,  ///< 3x3, stride 2: F(3x3,2x2) for even rows and columns, directly for odd ones: 49
             ///< products for 9 outputs, 1.65 times fewer
  kUpsample,  ///< 3x3 after nearest-neighbour upsampling by 2: four 2x2 filters, one per output
              ///< phase, F(5x5, 2x2) on one common transform of the small map: 6.2 times fewer
};

struct FormShape {
  std::int64_t outputs;  ///< rows (and columns) of a tile's outputs, per phase
  std::int64_t planes;   ///< n * n
  std::int64_t phases;   ///< filters per convolution
};
FormShape form_shape(ConvForm form);

/// How packed filters lie in memory, panel after panel of panel_width() output channels, zeros
/// behind the last one.
enum class FilterLayout {
  kTaps,         ///< [kernel * kernel][C][width]; Winograd forms transform them as they go along
  kTransformed,  ///< [phases][planes][C][width], for filters that many tiles use
};

/// One convolution. Tiles are numbered through all images, row by row.
struct ConvProblem {
  ConvForm form;
  std::int64_t kernel, stride, padding;
  std::int64_t height, width, channels;              ///< of x
  std::int64_t out_height, out_width, out_channels;  ///< of y
  std::int64_t tile_rows, tile_columns;              ///< of one image
  std::int64_t tiles;                                ///< of all images
  const float* x;
  /// [N][3][C] (center, slope, intercept) or null: x is read as silu((x - center) * slope +
  /// intercept), padding stays 0. Not for kDirect.
  const float* silu_maps;
  const float* panels;  ///< the filters, see FilterLayout
  FilterLayout layout;
  const float* bias;      ///< [out_channels] or null
  const float* residual;  ///< added, laid out as y, or null
  bool relu;              ///< of the sum
  float* y;
};

/// Numbers in a tile's row: the channels, or all values under the kernel.
inline std::int64_t row_length(ConvForm form, std::int64_t kernel, std::int64_t channels) {
  return form == ConvForm::kDirect ? kernel * kernel * channels : channels;
}

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// At least `floats`, as an odd number of 64-byte lines: what is this far apart spreads over the
/// cache, where distances of a power of two would crowd a few of its sets.
inline std::int64_t spread_stride(std::int64_t floats) {
  constexpr std::int64_t kLine = 16;
  return ((floats + kLine - 1) / kLine | 1) * kLine;
}

/// Input channels whose filters are transformed at a time with FilterLayout::kTaps.
constexpr std::int64_t kFilterStretch = 64;

/// Transformed tiles: number i of plane p of tile t at
/// data + p * plane + i / stretch * block + t * row + i % stretch.
struct Tiles {
  float* data;
  std::int64_t row;
  std::int64_t plane;
  std::int64_t stretch;  ///< kFilterStretch where filters are transformed by stretches, else all
  std::int64_t block;
};

/// Output channels of a panel: two vectors. Depends on the instruction set, as packed filters do.
std::int64_t panel_width();

/// One convolution's weight wherever it lies: that of output channel k, input channel c and tap t
/// (row-major) at data[k * out_stride + c * in_stride + t * tap_stride].
struct FilterView {
  const float* data;
  std::int64_t out_stride, in_stride, tap_stride;
  std::int64_t kernel, channels, out_channels;
};

/// The taps of one panel, to [kernel * kernel][C][width].
void pack_taps(const FilterView& filter, std::int64_t panel, float* to);

/// taps [3 * 3][C][width] of one panel -> [phases][planes][C][width].
void transform_taps(ConvForm form, const float* taps, std::int64_t channels, float* to);

/// One thread's scratch for multiply_panel.
struct Workspace {
  float* products;  ///< planes * spread_stride(count * width)
  float* filters;   ///< planes * spread_stride(kFilterStretch * width)
};

/// Transforms tiles first .. first + count - 1, to tiles.data on.
void transform_tiles(const ConvProblem& problem, std::int64_t first, std::int64_t count,
                     const Tiles& tiles);

/// The same with the gradient of y for the filters' gradient, A dy A^T. kF4x4 alone.
void transform_gradients(const ConvProblem& problem, const float* y_gradient, std::int64_t first,
                         std::int64_t count, const Tiles& tiles);

/// sums [C][to a whole panel K] (+)= x^T y over the rows of one plane: count rows each.
struct RowProduct {
  const float* x;
  std::int64_t x_row, channels;
  const float* y;
  std::int64_t y_row, out_channels;
  std::int64_t count;
};
void add_row_products(const RowProduct& rows, bool add, float* sums);

/// G^T m G of F(4x4,3x3): sums [planes][C][to a whole panel K] of channel c -> taps [3][3][C][K].
void transform_filter_gradient(const float* sums, std::int64_t channels, std::int64_t out_channels,
                               std::int64_t c, float* taps);

/// Multiplies them with one panel's filters and stores the outputs into y. Returns false if an
/// output is not finite.
bool multiply_panel(const ConvProblem& problem, std::int64_t first, std::int64_t count,
                    const Tiles& tiles, std::int64_t panel, const Workspace& workspace);

}  // namespace leaf::ops::cpu
