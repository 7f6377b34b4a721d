#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>

namespace leaf::data {

/// What the bits of a sample mean.
enum class SampleKind { kUnsigned, kSigned, kFloat };

struct SampleType {
  SampleKind kind = SampleKind::kUnsigned;
  std::int64_t bits = 8;

  /// kByte, kInt or kFloat: what holds such samples.
  at::ScalarType tensor_type() const;
};

/// Samples as libtiff hands them out: of 8, 16, 32 and 64 bits in the machine's byte order, others
/// packed, the first in a byte's high bits. `count` of them go to the elements `first`, `first` +
/// `step`, ... of `target`. Up to 2 bytes behind the samples are read.
void unpack_samples(const std::uint8_t* source, const SampleType& type, std::int64_t count,
                    at::Tensor& target, std::int64_t first, std::int64_t step);

}  // namespace leaf::data
