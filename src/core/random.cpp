#include "leaf/core/random.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace leaf {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;

/// splitmix64's finalizer: a bijection on 64 bits whose output bits all depend on all input bits.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t a, std::uint64_t b)
    : state_(mix(mix(mix(mix(seed + kGolden) ^ static_cast<std::uint64_t>(purpose)) + a) ^
                 (b * kGolden))) {}

std::uint64_t RandomStream::next() { return mix(state_ += kGolden); }

double RandomStream::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

double RandomStream::uniform(double low, double high) { return low + (high - low) * uniform(); }

std::uint64_t RandomStream::below(std::uint64_t n) {
  return next() % n;  // the bias, below n / 2^64, is of no consequence here
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

at::Tensor normal_tensor(at::IntArrayRef shape, RandomStream stream) {
  at::Tensor values = at::empty(shape, at::kFloat);
  auto* data = values.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    data[i] = static_cast<float>(stream.normal());
  }
  return values;
}

std::vector<std::size_t> permutation(std::size_t n, RandomStream stream) {
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = n; i > 1; --i) {
    std::swap(order[i - 1], order[stream.below(i)]);
  }
  return order;
}

void seed_dropout(std::uint64_t seed, std::uint64_t step) {
  at::manual_seed(RandomStream(seed, Purpose::kDropout, step).next());
}

}  // namespace leaf
