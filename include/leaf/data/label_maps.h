#pragma once

#include <ATen/core/TensorBody.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include "leaf/data/mask_classes.h"

namespace leaf::data {

/// Where a label map has the class of that place in the list, bool: with nested classes also where
/// it has one that lies within it.
at::Tensor class_region(const at::Tensor& labels, std::size_t index, const MaskClasses& classes);

/// The values that a volume's file has for labels, of any shape: those of the classes, uint8, or
/// int32 where one is larger; of classes without values, or with colours, the labels themselves.
at::Tensor volume_values(const at::Tensor& labels, const MaskClasses& classes);

/// The bytes of a PNG of a label map, uint8 [H,W], with the classes' values: grey of 8 bits, of 16
/// where a value is larger, or in colours. Classes without values are 0 and 255.
std::string encode_label_map(const at::Tensor& labels, const MaskClasses& classes);

/// Writes that file, atomically; throws FileError when that fails.
void write_label_map(const std::filesystem::path& path, const at::Tensor& labels,
                     const MaskClasses& classes);

}  // namespace leaf::data
