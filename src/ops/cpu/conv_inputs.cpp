#include "conv_kernels.h"
#include "targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/conv_inputs.cpp"
#include <hwy/foreach_target.h>  // compiles the rest of this file once for each target

#include <cstdint>
#include <cstring>
#include <type_traits>
//
#include "conv_vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace leaf::ops::cpu::HWY_NAMESPACE {
namespace {

/// B^T d
template <class Filter, int kPair = 0>
HWY_INLINE void transform_pairs(const Vector* d, Vector* t) {
  if constexpr (kPair < Filter::kPairs) {
    constexpr int kJ = 1 + 2 * kPair;
    const Vector even = dot<typename Filter::Input, kJ, 0, 2>(d);
    const Vector odd = dot<typename Filter::Input, kJ, 1, 2>(d);
    t[kJ] = hn::Add(even, odd);
    t[kJ + 1] = hn::Sub(even, odd);
    transform_pairs<Filter, kPair + 1>(d, t);
  }
}

template <class Filter>
HWY_INLINE void transform_inputs(const Vector* d, Vector* t) {
  if constexpr (Filter::kStride == 2) {
    using Even = typename Filter::Even;
    Vector even[Even::kInputs];
    for (int i = 0; i < Even::kInputs; ++i) {
      even[i] = d[2 * i];
    }
    transform_inputs<Even>(even, t);
    for (int i = 0; i < Filter::kOut; ++i) {
      t[Even::kInputs + i] = d[2 * i + 1];
    }
  } else {
    constexpr int kLast = Filter::kInputs - 1;
    t[0] = dot<typename Filter::Input, 0>(d);
    transform_pairs<Filter>(d, t);
    t[kLast] = dot<typename Filter::Input, kLast>(d);
  }
}

/// The pixel's channels, null outside the map.
HWY_INLINE const float* pixel_at(const ConvProblem& problem, std::int64_t image, std::int64_t y,
                                 std::int64_t x) {
  const bool inside = y >= 0 && y < problem.height && x >= 0 && x < problem.width;
  return inside ? problem.x + ((image * problem.height + y) * problem.width + x) * problem.channels
                : nullptr;
}

/// Reads one vector of channels, the first `count` of it, of any pixel.
template <bool kSilu>
class PixelReader {
 public:
  HWY_INLINE PixelReader(const ConvProblem& problem, std::int64_t image, std::int64_t c)
      : c_(c), count_(problem.channels - c) {
    if constexpr (kSilu) {
      const float* map = problem.silu_maps + image * 3 * problem.channels + c;
      center_ = load_part(map, count_);
      slope_ = load_part(map + problem.channels, count_);
      intercept_ = load_part(map + 2 * problem.channels, count_);
    }
  }

  HWY_INLINE Vector operator()(const float* pixel) const {
    if (pixel == nullptr) {
      return hn::Zero(kFloat);
    }
    const Vector x = load_part(pixel + c_, count_);
    if constexpr (!kSilu) {
      return x;
    } else {
      return silu(hn::MulAdd(hn::Sub(x, center_), slope_, intercept_));
    }
  }

 private:
  Vector center_ = hn::Zero(kFloat);
  Vector slope_ = hn::Zero(kFloat);
  Vector intercept_ = hn::Zero(kFloat);
  std::int64_t c_;
  std::int64_t count_;
};

template <class F, bool kSilu>
void transform_tile(const ConvProblem& problem, const Tile& tile, float* to, const Tiles& tiles) {
  constexpr int kInputs = F::Filter::kInputs;
  constexpr int kStep = F::Filter::kOut * F::Filter::kStride;
  const std::int64_t channels = problem.channels;
  const float* pixels[kInputs][kInputs];
  for (int i = 0; i < kInputs; ++i) {
    for (int j = 0; j < kInputs; ++j) {
      pixels[i][j] = pixel_at(problem, tile.image, tile.row * kStep - problem.padding + i,
                              tile.column * kStep - problem.padding + j);
    }
  }
  for (std::int64_t c = 0; c < channels; c += kLanes) {
    const PixelReader<kSilu> load(problem, tile.image, c);
    float* target = to + c / tiles.stretch * tiles.block + c % tiles.stretch;
    Vector rows[kInputs][kInputs];
    for (int i = 0; i < kInputs; ++i) {
      Vector d[kInputs];
      for (int j = 0; j < kInputs; ++j) {
        d[j] = load(pixels[i][j]);
      }
      transform_inputs<typename F::Filter>(d, rows[i]);
    }
    for (int j = 0; j < kInputs; ++j) {
      Vector d[kInputs];
      for (int i = 0; i < kInputs; ++i) {
        d[i] = rows[i][j];
      }
      Vector t[kInputs];
      transform_inputs<typename F::Filter>(d, t);
      for (int i = 0; i < kInputs; ++i) {
        hn::StoreU(t[i], kFloat, target + (i * kInputs + j) * tiles.plane);
      }
    }
  }
}

/// A row holds the values under the kernel, [kernel][kernel][C].
void gather_position(const ConvProblem& problem, const Tile& tile, float* to) {
  const auto bytes = static_cast<std::size_t>(problem.channels) * sizeof(float);
  for (std::int64_t i = 0; i < problem.kernel; ++i) {
    for (std::int64_t j = 0; j < problem.kernel; ++j) {
      const float* pixel =
          pixel_at(problem, tile.image, tile.row * problem.stride - problem.padding + i,
                   tile.column * problem.stride - problem.padding + j);
      if (pixel != nullptr) {
        std::memcpy(to, pixel, bytes);
      } else {
        std::memset(to, 0, bytes);
      }
      to += problem.channels;
    }
  }
}

template <class F, bool kSilu>
void transform_all(const ConvProblem& problem, std::int64_t first, std::int64_t count,
                   const Tiles& tiles) {
  for (std::int64_t t = 0; t < count; ++t) {
    const Tile tile = tile_at(problem, first + t);
    float* to = tiles.data + t * tiles.row;
    if constexpr (std::is_same_v<F, Form<ConvForm::kDirect>>) {
      gather_position(problem, tile, to);
    } else {
      transform_tile<F, kSilu>(problem, tile, to, tiles);
    }
  }
}

void transform(const ConvProblem& problem, std::int64_t first, std::int64_t count,
               const Tiles& tiles) {
  with_form(problem.form, [&](auto f) {
    if (problem.silu_maps != nullptr) {
      transform_all<decltype(f), true>(problem, first, count, tiles);
    } else {
      transform_all<decltype(f), false>(problem, first, count, tiles);
    }
  });
}

}  // namespace
}  // namespace leaf::ops::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace leaf::ops::cpu {

HWY_EXPORT(transform);

void transform_tiles(const ConvProblem& problem, std::int64_t first, std::int64_t count,
                     const Tiles& tiles) {
  HWY_DYNAMIC_DISPATCH(transform)(problem, first, count, tiles);
}

}  // namespace leaf::ops::cpu
#endif
