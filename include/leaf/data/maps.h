#pragma once

#include <ATen/core/TensorBody.h>

#include <filesystem>

namespace leaf::data {

/// Writes values [H,W] in [0,1] as a grey PNG of 16 bits, 65535 times the value, atomically;
/// FileError when that fails.
void write_png16(const std::filesystem::path& path, const at::Tensor& values);

/// Writes float32 [H,W] as NumPy's `.npy`, atomically; FileError when that fails.
void write_npy(const std::filesystem::path& path, const at::Tensor& values);

}  // namespace leaf::data
