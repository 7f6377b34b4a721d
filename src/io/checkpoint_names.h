#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pickle.h"

namespace leaf::io {

/// The tensors of a checkpoint's nested dictionaries.
struct NamedTensors {
  std::map<std::string, const pickle::Tensor*> found;
  /// Tensors of types that are of no use here: the first of them, as "name: type".
  std::vector<std::string> passed_over;
  std::size_t passed_over_count = 0;
};

/// Names the tensors of `content`, which must outlive the result: keys joined by '.', or only what
/// `state_dict` holds where the top level has one. Throws WeightsError with `path` when there are
/// none, or when nesting, names or their number are beyond any checkpoint's.
NamedTensors name_tensors(const pickle::Pickle& content, const std::filesystem::path& path);

}  // namespace leaf::io
