#pragma once

#include <ATen/core/TensorBody.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace torch::nn {
class Module;
}

namespace leaf {

using Hash128 = std::array<std::uint64_t, 2>;

/// 128 bits of whatever is added. XXH3, since every sample of every batch is hashed and SHA-256
/// (core/sha256.h), which an audit needs because others can check it and nobody can forge it, takes
/// many times as long; here only chance is to be kept off, not people who want two inputs of one
/// hash.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void add(std::string_view bytes);
  /// The elements of a tensor in row-major order, on any device, without type and shape.
  void add(const at::Tensor& tensor);
  Hash128 digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The hash of these bytes alone, 64 bits.
std::uint64_t hash64(std::string_view bytes);

/// The hash of a module's parameters, their names and shapes, as hex_text.
std::string weights_hash(const torch::nn::Module& module);

/// 32 hexadecimal digits.
std::string hex_text(const Hash128& hash);

}  // namespace leaf
