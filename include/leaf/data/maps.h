#pragma once

#include <ATen/core/TensorBody.h>

#include <filesystem>
#include <string>
#include <vector>

namespace leaf::data {

/// A kind of file for a map of values, such as a probability: a row of map_writers().
struct MapWriter {
  std::string name;       ///< "16"
  std::string extension;  ///< of its files' names: ".png"
  /// Gives the bytes of a file of values [H,W] in [0,1].
  std::string (*encode)(const at::Tensor& values);
};

/// The kinds that are written:
///   8, 16  grey PNG of so many bits: 255 or 65535 times the value
///   npy    float32, NumPy's file
const std::vector<MapWriter>& map_writers();

/// Finds the writer of that name; nullptr for "none". Throws ConfigError, which says `what` was
/// wrong and which names there are.
const MapWriter* find_map_writer(const std::string& name, const std::string& what);

/// Writes values [H,W] in [0,1] atomically. Throws FileError when that fails.
void write_map(const std::filesystem::path& path, const at::Tensor& values,
               const MapWriter& writer);

/// The bytes of a grey PNG of 16 bits of numbers of 0 to 65535, int32 [H,W]. Throws DataError for
/// larger ones.
std::string encode_labels(const at::Tensor& labels);

/// Writes that file, atomically. Throws DataError, naming the file, for larger numbers, FileError
/// when writing fails.
void write_labels(const std::filesystem::path& path, const at::Tensor& labels);

}  // namespace leaf::data
