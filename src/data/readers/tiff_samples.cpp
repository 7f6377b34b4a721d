#include "tiff_samples.h"

#include <ATen/ATen.h>
#include <c10/util/Half.h>

#include <cstring>
#include <limits>

#include "reader.h"

namespace leaf::data {
namespace {

/// The i-th of numbers of type T in a row, wherever they lie in memory.
template <typename T>
T whole(const std::uint8_t* source, std::int64_t i) {
  T value;
  std::memcpy(&value, source + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

std::uint32_t packed(const std::uint8_t* source, std::int64_t i, std::int64_t bits) {
  const std::int64_t begin = i * bits;
  const std::uint8_t* byte = source + begin / 8;
  const std::uint32_t window = std::uint32_t{byte[0]} << 16 | std::uint32_t{byte[1]} << 8 | byte[2];
  return window >> (24 - begin % 8 - bits) & ((1U << bits) - 1);
}

std::int32_t checked(std::uint32_t value) {
  if (value > static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max())) {
    refuse_unread("32-bit samples above 2147483647");
  }
  return static_cast<std::int32_t>(value);
}

/// Calls `use` with a function that reads the i-th sample.
template <typename Use>
void with_reader(const std::uint8_t* source, const SampleType& type, const Use& use) {
  using Index = std::int64_t;
  const bool is_signed = type.kind == SampleKind::kSigned;
  if (type.kind == SampleKind::kFloat) {
    switch (type.bits) {
      case 16:
        return use([=](Index i) { return static_cast<float>(whole<c10::Half>(source, i)); });
      case 32:
        return use([=](Index i) { return whole<float>(source, i); });
      default:
        return use([=](Index i) { return whole<double>(source, i); });
    }
  }
  switch (type.bits) {
    case 8:
      return is_signed ? use([=](Index i) { return whole<std::int8_t>(source, i); })
                       : use([=](Index i) { return source[i]; });
    case 16:
      return is_signed ? use([=](Index i) { return whole<std::int16_t>(source, i); })
                       : use([=](Index i) { return whole<std::uint16_t>(source, i); });
    case 32:
      return is_signed ? use([=](Index i) { return whole<std::int32_t>(source, i); })
                       : use([=](Index i) { return checked(whole<std::uint32_t>(source, i)); });
    default:
      return use([=, bits = type.bits](Index i) { return packed(source, i, bits); });
  }
}

template <typename T>
void unpack(const std::uint8_t* source, const SampleType& type, std::int64_t count, T* target,
            std::int64_t step) {
  with_reader(source, type, [=](const auto& sample) {
    for (std::int64_t i = 0; i < count; ++i) {
      target[i * step] = static_cast<T>(sample(i));
    }
  });
}

}  // namespace

at::ScalarType SampleType::tensor_type() const {
  if (kind == SampleKind::kFloat) {
    return at::kFloat;
  }
  return kind == SampleKind::kUnsigned && bits <= 8 ? at::kByte : at::kInt;
}

void unpack_samples(const std::uint8_t* source, const SampleType& type, std::int64_t count,
                    at::Tensor& target, std::int64_t first, std::int64_t step) {
  switch (type.tensor_type()) {
    case at::kByte:
      return unpack(source, type, count, target.mutable_data_ptr<std::uint8_t>() + first, step);
    case at::kInt:
      return unpack(source, type, count, target.mutable_data_ptr<std::int32_t>() + first, step);
    default:
      return unpack(source, type, count, target.mutable_data_ptr<float>() + first, step);
  }
}

}  // namespace leaf::data
