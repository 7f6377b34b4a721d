#pragma once

#include <cstdint>

// The inner loops of attention on float32 rows, compiled for several instruction sets as the
// convolutions are (conv_kernels.h).
namespace leaf::ops::cpu {

/// `count` rows of `width` numbers, `stride` floats apart.
struct Rows {
  const float* data;
  std::int64_t stride;
  std::int64_t count;
  std::int64_t width;
};

/// to[i * stride + r] = number i of row r, for r < columns: zeros behind the last row.
void turn_rows(const Rows& rows, float* to, std::int64_t stride, std::int64_t columns);

/// Up to panel_width() queries of one head against all its keys. Each is a column of what is
/// computed, so that the width of a head leaves none empty.
struct AttentionBlock {
  Rows queries;
  Rows keys;
  const float* turned_values;  ///< [width][value_stride], a column for each key
  std::int64_t value_stride;
  double scale;
  float* scores;    ///< scratch: keys * panel_width()
  float* products;  ///< scratch: width * panel_width()
  float* out;       ///< [queries][width]
  std::int64_t out_stride;
};

/// softmax(scale * queries keys^T) values. Returns false if anything on the way is not finite.
bool attend_block(const AttentionBlock& block);

}  // namespace leaf::ops::cpu
