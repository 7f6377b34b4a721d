#pragma once

#include <filesystem>

#include "leaf/io/tensor_map.h"

namespace leaf::io {

/// All tensors of a safetensors file, on the CPU, with the file's own types (F64, F32, F16, BF16,
/// F8_E4M3, F8_E5M2, I64, I32, I16, I8, U64, U32, U16, U8, BOOL). They share a private mapping of
/// the file, so pages are read when first used, leave memory with their tensor, and writing into a
/// tensor never changes the file; only misaligned and boolean data are copied. WeightsError names
/// the path and the reason when anything in the file is not as the format demands.
TensorMap read_safetensors(const std::filesystem::path& path);

/// Writes `tensors` (any device and strides, stored row-major) so that `path` is complete or as
/// before. The header's metadata are {"format": "pt"}, which Python's libraries ask for. Throws
/// FileError when the file cannot be written, WeightsError for a type or name the format cannot
/// hold.
void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors);

}  // namespace leaf::io
