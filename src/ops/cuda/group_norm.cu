#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>

#include "ops/cuda/group_norm_kernels.h"
#include "ops/cuda/group_norm_math.h"

// Three kernels each way: sums per channel and piece of an image, their totals per group, one pass that
// writes the result. Sums are taken in a fixed order: results repeat to the bit.
namespace leaf::ops::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;

__device__ float to_float(float v) { return v; }
__device__ float to_float(__half v) { return __half2float(v); }
__device__ float to_float(__nv_bfloat16 v) { return __bfloat162float(v); }
template <typename T>
__device__ T from_float(float v);
template <>
__device__ float from_float<float>(float v) {
  return v;
}
template <>
__device__ __half from_float<__half>(float v) {
  return __float2half(v);
}
template <>
__device__ __nv_bfloat16 from_float<__nv_bfloat16>(float v) {
  return __float2bfloat16(v);
}

/// 16 bytes of a row.
template <typename T>
struct alignas(16) Vector {
  static constexpr int kWidth = 16 / sizeof(T);
  T values[kWidth];
};

/// What a block works on: threadIdx.x is a vector of channels, threadIdx.y one of its rows, blockIdx.x
/// a piece, blockIdx.y an image. Rows are taken in turns by all pieces.
template <typename T>
struct Place {
  __device__ Place(const NormShape& shape)
      : channel(threadIdx.x * Vector<T>::kWidth),
        first(static_cast<long>(blockIdx.x) * blockDim.y + threadIdx.y),
        step(static_cast<long>(gridDim.x) * blockDim.y),
        base(static_cast<long>(blockIdx.y) * shape.pixels) {}

  __device__ long vector_of(long row, const NormShape& shape) const {
    return (base + row) * (shape.channels / Vector<T>::kWidth) + threadIdx.x;
  }

  int channel;
  long first;
  long step;
  long base;
};

/// Adds up the rows of a block and writes [N, pieces, C].
template <int kWidth>
__device__ void store_partial(const Sums (&sums)[kWidth], const NormShape& shape, Sums* partial) {
  extern __shared__ char memory[];
  Sums* rows = reinterpret_cast<Sums*>(memory);  // [blockDim.y][C]
  for (int i = 0; i < kWidth; ++i) {
    rows[threadIdx.y * shape.channels + threadIdx.x * kWidth + i] = sums[i];
  }
  __syncthreads();
  Sums* out = partial + (static_cast<long>(blockIdx.y) * gridDim.x + blockIdx.x) * shape.channels;
  for (int c = threadIdx.y * blockDim.x + threadIdx.x; c < shape.channels;
       c += blockDim.x * blockDim.y) {
    Sums total;
    for (int row = 0; row < blockDim.y; ++row) {
      total = total + rows[row * shape.channels + c];
    }
    out[c] = total;
  }
}

/// The value around which a group is summed: its first.
template <typename T>
__device__ float shift_of(const T* x, const NormShape& shape, int image, int group) {
  return to_float(
      x[image * shape.pixels * shape.channels + group * (shape.channels / shape.groups)]);
}

template <typename T>
__global__ void sum_values(NormShape shape, const T* x, Sums* partial) {
  constexpr int kWidth = Vector<T>::kWidth;
  const Place<T> place(shape);
  const int group_width = shape.channels / shape.groups;
  float shift[kWidth];
  for (int i = 0; i < kWidth; ++i) {
    shift[i] = shift_of(x, shape, blockIdx.y, (place.channel + i) / group_width);
  }
  Sums sums[kWidth];
  for (long row = place.first; row < shape.pixels; row += place.step) {
    const auto v = reinterpret_cast<const Vector<T>*>(x)[place.vector_of(row, shape)];
    for (int i = 0; i < kWidth; ++i) {
      const float d = to_float(v.values[i]) - shift[i];
      sums[i] = {sums[i].first + d, sums[i].second + d * d};
    }
  }
  store_partial(sums, shape, partial);
}

/// The totals of each channel of this block's group into `totals`, a warp a channel.
__device__ void sum_pieces(const NormShape& shape, int pieces, const Sums* partial, Sums* totals) {
  const int group_width = shape.channels / shape.groups;
  const int lane = threadIdx.x % kWarp;
  for (int c = threadIdx.x / kWarp; c < group_width; c += blockDim.x / kWarp) {
    const long channel = blockIdx.x * group_width + c;
    Sums sums;
    for (int piece = lane; piece < pieces; piece += kWarp) {
      sums = sums + partial[(static_cast<long>(blockIdx.y) * pieces + piece) * shape.channels +
                            channel];
    }
    for (int step = kWarp / 2; step > 0; step /= 2) {
      sums = sums + Sums{__shfl_down_sync(~0U, sums.first, step),
                         __shfl_down_sync(~0U, sums.second, step)};
    }
    if (lane == 0) {
      totals[c] = sums;
    }
  }
  __syncthreads();
}

/// A block for each group (x) of each image (y).
template <typename T>
__global__ void finish_forward(NormShape shape, int pieces, float eps, const T* x,
                               const Sums* partial, const float* gain, const float* offset,
                               Moments* all_moments, Affine* all_affine) {
  extern __shared__ char memory[];
  Sums* totals = reinterpret_cast<Sums*>(memory);
  const int group_width = shape.channels / shape.groups;
  sum_pieces(shape, pieces, partial, totals);
  Sums sums;
  for (int c = 0; c < group_width; ++c) {
    sums = sums + totals[c];
  }
  const Moments m = moments(sums, static_cast<float>(shape.pixels * group_width),
                            shift_of(x, shape, blockIdx.y, blockIdx.x), eps);
  if (threadIdx.x == 0) {
    all_moments[blockIdx.y * shape.groups + blockIdx.x] = m;
  }
  for (int c = threadIdx.x; c < group_width; c += blockDim.x) {
    const long i = blockIdx.y * shape.channels + blockIdx.x * group_width + c;
    all_affine[i] = affine(m, gain[i], offset[i]);
  }
}

template <typename T, bool kSilu>
__global__ void apply_forward(NormShape shape, const T* x, const Affine* affines, T* y) {
  constexpr int kWidth = Vector<T>::kWidth;
  const Place<T> place(shape);
  Affine affine[kWidth];
  for (int i = 0; i < kWidth; ++i) {
    affine[i] = affines[blockIdx.y * shape.channels + place.channel + i];
  }
  for (long row = place.first; row < shape.pixels; row += place.step) {
    const long at = place.vector_of(row, shape);
    auto v = reinterpret_cast<const Vector<T>*>(x)[at];
    for (int i = 0; i < kWidth; ++i) {
      const float u = to_float(v.values[i]) * affine[i].slope + affine[i].intercept;
      v.values[i] = from_float<T>(kSilu ? silu(u) : u);
    }
    reinterpret_cast<Vector<T>*>(y)[at] = v;
  }
}

/// The gradient of the affine's result.
template <bool kSilu>
__device__ float through_silu(float grad, float x, const Affine& affine) {
  return kSilu ? grad * silu_slope(x * affine.slope + affine.intercept) : grad;
}

template <typename T, bool kSilu>
__global__ void sum_gradients(NormShape shape, const T* grad, const T* x, const Moments* moments,
                              const Affine* affines, Sums* partial) {
  constexpr int kWidth = Vector<T>::kWidth;
  const Place<T> place(shape);
  const int group_width = shape.channels / shape.groups;
  Affine affine[kWidth];
  Moments moment[kWidth];
  for (int i = 0; i < kWidth; ++i) {
    affine[i] = affines[blockIdx.y * shape.channels + place.channel + i];
    moment[i] = moments[blockIdx.y * shape.groups + (place.channel + i) / group_width];
  }
  Sums sums[kWidth];
  for (long row = place.first; row < shape.pixels; row += place.step) {
    const long at = place.vector_of(row, shape);
    const auto v = reinterpret_cast<const Vector<T>*>(x)[at];
    const auto g = reinterpret_cast<const Vector<T>*>(grad)[at];
    for (int i = 0; i < kWidth; ++i) {
      const float value = to_float(v.values[i]);
      const float du = through_silu<kSilu>(to_float(g.values[i]), value, affine[i]);
      sums[i] =
          sums[i] + Sums{du, du * (value - moment[i].mean) * moment[i].rstd};
    }
  }
  store_partial(sums, shape, partial);
}

__global__ void finish_backward(NormShape shape, int pieces, const Sums* partial, const float* gain,
                                const Moments* moments, GradientMap* maps, float* dgain,
                                float* doffset) {
  extern __shared__ char memory[];
  Sums* totals = reinterpret_cast<Sums*>(memory);
  const int group_width = shape.channels / shape.groups;
  sum_pieces(shape, pieces, partial, totals);
  const long first = blockIdx.y * shape.channels + blockIdx.x * group_width;
  Sums means;
  for (int c = 0; c < group_width; ++c) {
    means = means + Sums{gain[first + c] * totals[c].first, gain[first + c] * totals[c].second};
  }
  const float count = static_cast<float>(shape.pixels * group_width);
  means = {means.first / count, means.second / count};
  const Moments m = moments[blockIdx.y * shape.groups + blockIdx.x];
  for (int c = threadIdx.x; c < group_width; c += blockDim.x) {
    maps[first + c] = gradient_map(m, gain[first + c], means);
    doffset[first + c] = totals[c].first;
    dgain[first + c] = totals[c].second;
  }
}

template <typename T, bool kSilu>
__global__ void apply_backward(NormShape shape, const T* grad, const T* x, const Affine* affines,
                               const GradientMap* maps, T* dx) {
  constexpr int kWidth = Vector<T>::kWidth;
  const Place<T> place(shape);
  Affine affine[kWidth];
  GradientMap map[kWidth];
  for (int i = 0; i < kWidth; ++i) {
    affine[i] = affines[blockIdx.y * shape.channels + place.channel + i];
    map[i] = maps[blockIdx.y * shape.channels + place.channel + i];
  }
  for (long row = place.first; row < shape.pixels; row += place.step) {
    const long at = place.vector_of(row, shape);
    const auto v = reinterpret_cast<const Vector<T>*>(x)[at];
    auto g = reinterpret_cast<const Vector<T>*>(grad)[at];
    for (int i = 0; i < kWidth; ++i) {
      const float value = to_float(v.values[i]);
      const float du = through_silu<kSilu>(to_float(g.values[i]), value, affine[i]);
      g.values[i] =
          from_float<T>(map[i].from_grad * du + map[i].from_x * value + map[i].constant);
    }
    reinterpret_cast<Vector<T>*>(dx)[at] = g;
  }
}

dim3 block_of(const NormShape& shape) {
  const auto vectors = static_cast<unsigned>(shape.channels / vector_width(shape.element));
  return {vectors, std::max(1U, kThreads / vectors)};
}

dim3 grid_of(const NormShape& shape) {
  return {static_cast<unsigned>(pieces(shape)), static_cast<unsigned>(shape.images)};
}

dim3 groups_of(const NormShape& shape) {
  return {static_cast<unsigned>(shape.groups), static_cast<unsigned>(shape.images)};
}

std::size_t rows_memory(const NormShape& shape) {
  return block_of(shape).y * shape.channels * sizeof(Sums);
}

std::size_t totals_memory(const NormShape& shape) {
  return shape.channels / shape.groups * sizeof(Sums);
}

template <typename T, bool kSilu>
void forward(const NormShape& shape, const NormForward& args, double eps, cudaStream_t stream) {
  const auto* x = static_cast<const T*>(args.x);
  auto* partial = reinterpret_cast<Sums*>(args.partial);
  auto* affines = reinterpret_cast<Affine*>(args.affine);
  const dim3 grid = grid_of(shape), block = block_of(shape);
  sum_values<T><<<grid, block, rows_memory(shape), stream>>>(shape, x, partial);
  finish_forward<T><<<groups_of(shape), kThreads, totals_memory(shape), stream>>>(
      shape, static_cast<int>(grid.x), static_cast<float>(eps), x, partial, args.gain, args.offset,
      reinterpret_cast<Moments*>(args.moments), affines);
  apply_forward<T, kSilu><<<grid, block, 0, stream>>>(shape, x, affines, static_cast<T*>(args.y));
}

template <typename T, bool kSilu>
void backward(const NormShape& shape, const NormBackward& args, cudaStream_t stream) {
  const auto* grad = static_cast<const T*>(args.grad);
  const auto* x = static_cast<const T*>(args.x);
  const auto* moments = reinterpret_cast<const Moments*>(args.moments);
  const auto* affines = reinterpret_cast<const Affine*>(args.affine);
  auto* partial = reinterpret_cast<Sums*>(args.partial);
  auto* maps = reinterpret_cast<GradientMap*>(args.map);
  const dim3 grid = grid_of(shape), block = block_of(shape);
  sum_gradients<T, kSilu>
      <<<grid, block, rows_memory(shape), stream>>>(shape, grad, x, moments, affines, partial);
  finish_backward<<<groups_of(shape), kThreads, totals_memory(shape), stream>>>(
      shape, static_cast<int>(grid.x), partial, args.gain, moments, maps, args.dgain,
      args.doffset);
  apply_backward<T, kSilu>
      <<<grid, block, 0, stream>>>(shape, grad, x, affines, maps, static_cast<T*>(args.dx));
}

const char* error_text() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

/// Calls run(type, silu) with the element type's tag and SiLU as a constant.
template <typename Run>
void dispatch(const NormShape& shape, const Run& run) {
  const auto with_type = [&](auto type) {
    shape.silu ? run(type, std::true_type{}) : run(type, std::false_type{});
  };
  switch (shape.element) {
    case Element::kFloat:
      return with_type(float{});
    case Element::kHalf:
      return with_type(__half{});
    case Element::kBFloat16:
      return with_type(__nv_bfloat16{});
  }
}

}  // namespace

std::int64_t pieces(const NormShape& shape) {
  constexpr std::int64_t kRowsAThread = 8;  // fewer do not pay a block's start
  constexpr std::int64_t kBlocks = 1024;    // several for each of a large chip's processors
  const std::int64_t rows = block_of(shape).y * kRowsAThread;
  return std::clamp<std::int64_t>((shape.pixels + rows - 1) / rows, 1,
                                  std::max<std::int64_t>(1, kBlocks / shape.images));
}

const char* normalise(const NormShape& shape, const NormForward& args, double eps, void* stream) {
  dispatch(shape, [&](auto type, auto with_silu) {
    forward<decltype(type), decltype(with_silu)::value>(shape, args, eps,
                                                        static_cast<cudaStream_t>(stream));
  });
  return error_text();
}

const char* normalise_backward(const NormShape& shape, const NormBackward& args, void* stream) {
  dispatch(shape, [&](auto type, auto with_silu) {
    backward<decltype(type), decltype(with_silu)::value>(shape, args,
                                                         static_cast<cudaStream_t>(stream));
  });
  return error_text();
}

}  // namespace leaf::ops::cuda
