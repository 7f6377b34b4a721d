#pragma once

#include <ATen/core/TensorBody.h>

#include <filesystem>

namespace leaf::data {

/// Writes values [H,W] in [0,1] as a grey PNG of 16 bits, 65535 times the value, atomically;
/// FileError when that fails.
void write_png16(const std::filesystem::path& path, const at::Tensor& values);

/// Writes numbers of 0 to 65535, int32 [H,W], as a grey PNG of 16 bits, atomically; DataError for
/// larger ones, FileError when writing fails.
void write_labels(const std::filesystem::path& path, const at::Tensor& labels);

/// Writes float32 [H,W] as NumPy's `.npy`, atomically; FileError when that fails.
void write_npy(const std::filesystem::path& path, const at::Tensor& values);

}  // namespace leaf::data
