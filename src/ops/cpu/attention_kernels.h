#pragma once

#include <cstdint>

// The inner loops of attention on float32 rows, compiled for several instruction sets as the
// convolutions are (conv_kernels.h); panels are panel_width() wide.
namespace leaf::ops::cpu {

/// `count` rows of `width` numbers, `stride` floats apart.
struct Rows {
  const float* data;
  std::int64_t stride;
  std::int64_t count;
  std::int64_t width;
};

/// Panels of rows, each turned: [panels][width][panel_width()], zeros behind the last row.
void pack_turned(const Rows& rows, float* to);

/// Panels of columns: [panels][count][panel_width()], zeros behind the last column.
void pack_columns(const Rows& rows, float* to);

constexpr std::int64_t kMostQueries = 48;  ///< at a time: their scores stay in the cache

/// Up to kMostQueries queries of one head against all its keys.
struct AttentionBlock {
  Rows queries;
  std::int64_t keys;
  const float* packed_keys;    ///< pack_turned
  const float* packed_values;  ///< pack_columns
  double scale;
  float* scores;  ///< scratch: queries * keys to whole panels
  float* shares;  ///< scratch: queries * spread_stride(keys to whole panels)
  float* out;     ///< [queries][width]
  std::int64_t out_stride;
};

/// softmax(scale * queries keys^T) values. Returns false if anything on the way is not finite.
bool attend_block(const AttentionBlock& block);

}  // namespace leaf::ops::cpu
