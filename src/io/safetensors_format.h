#pragma once

#include <c10/core/ScalarType.h>

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

// A safetensors file: 8 bytes with the length of the header, the header (a JSON object: name ->
// dtype, shape, data_offsets), then the data of all tensors, row-major, without gaps.
namespace leaf::io {

static_assert(std::endian::native == std::endian::little,
              "the format stores little-endian numbers");

inline constexpr std::uint64_t kLengthBytes = 8;
inline constexpr const char* kMetadataKey = "__metadata__";

struct DtypeName {
  std::string_view name;
  c10::ScalarType dtype;
};
inline constexpr std::array<DtypeName, 15> kDtypes{{{"F64", c10::kDouble},
                                                    {"F32", c10::kFloat},
                                                    {"F16", c10::kHalf},
                                                    {"BF16", c10::kBFloat16},
                                                    {"F8_E4M3", c10::kFloat8_e4m3fn},
                                                    {"F8_E5M2", c10::kFloat8_e5m2},
                                                    {"I64", c10::kLong},
                                                    {"I32", c10::kInt},
                                                    {"I16", c10::kShort},
                                                    {"I8", c10::kChar},
                                                    {"U64", c10::kUInt64},
                                                    {"U32", c10::kUInt32},
                                                    {"U16", c10::kUInt16},
                                                    {"U8", c10::kByte},
                                                    {"BOOL", c10::kBool}}};

}  // namespace leaf::io
