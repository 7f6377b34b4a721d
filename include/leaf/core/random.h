#pragma once

#include <ATen/core/TensorBody.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace leaf {

/// What a random draw is for. Draws for different purposes are independent; new purposes go to the
/// end, since the numbers are part of what draws follow from.
enum class Purpose : std::uint64_t {
  kInitialisation = 1,
  kSplit,
  kShuffle,
  kFlip,
  kTimestep,
  kNoise,
  kInference,
  kDropout,
  kPhantom,
  kPosterior,
  kBootstrap,
  kAugment,
};

/// Random numbers that are addressed, not consumed: the stream is a function of its four
/// coordinates alone, so a draw never depends on the process, worker, batch or order in which it is
/// made.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t a = 0, std::uint64_t b = 0);

  /// 64 random bits.
  std::uint64_t next();
  /// Uniform in [0, 1).
  double uniform();
  /// Uniform in [low, high).
  double uniform(double low, double high);
  /// Uniform in 0 .. n-1; n must be positive.
  std::uint64_t below(std::uint64_t n);
  /// Standard normal (Box-Muller).
  double normal();

 private:
  std::uint64_t state_;
};

/// Standard normal values, float32 on the CPU, drawn from one stream.
at::Tensor normal_tensor(at::IntArrayRef shape, RandomStream stream);

/// 0 .. n-1 in random order (Fisher-Yates).
std::vector<std::size_t> permutation(std::size_t n, RandomStream stream);

/// Seeds LibTorch's own generator, which dropout alone uses, for one training step.
void seed_dropout(std::uint64_t seed, std::uint64_t step);

}  // namespace leaf
