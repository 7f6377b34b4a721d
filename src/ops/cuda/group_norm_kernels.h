#pragma once

#include <cstdint>

// What group_norm.cu offers, in plain pointers to memory of the GPU. Maps are [N, pixels, C],
// channels innermost; a row of C is a whole number of 16-byte vectors.
namespace leaf::ops::cuda {

enum class Element { kFloat, kHalf, kBFloat16 };

struct NormShape {
  std::int64_t images;
  std::int64_t pixels;
  std::int64_t channels;
  std::int64_t groups;
  Element element;
  bool silu;
};

/// Channels that one thread loads at once.
constexpr std::int64_t vector_width(Element element) { return element == Element::kFloat ? 4 : 8; }

/// How many pieces the pixels of an image are summed in: enough to fill the chip.
std::int64_t pieces(const NormShape& shape);

/// partial: float [N, pieces, C, 2], scratch. gain, offset [N, C]. Writes moments [N, G, 2] (mean,
/// rstd), affine [N, C, 2] (slope, intercept) and y like x.
struct NormForward {
  const void* x;
  const float* gain;
  const float* offset;
  float* partial;
  float* moments;
  float* affine;
  void* y;
};

/// As above; dgain, doffset [N, C], map: float [N, C, 3], scratch, dx like x.
struct NormBackward {
  const void* grad;
  const void* x;
  const float* gain;
  const float* moments;
  const float* affine;
  float* partial;
  float* map;
  float* dgain;
  float* doffset;
  void* dx;
};

/// Queues the work on `stream`, a cudaStream_t; returns CUDA's error text, null when there is none.
const char* normalise(const NormShape& shape, const NormForward& args, double eps, void* stream);
const char* normalise_backward(const NormShape& shape, const NormBackward& args, void* stream);

}  // namespace leaf::ops::cuda
