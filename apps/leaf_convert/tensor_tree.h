#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>

#include "leaf/io/tensor_map.h"

namespace leaf::apps {

/// "1 tensor", "2 tensors"
std::string count_text(std::size_t count, const char* thing);

/// "2 tensors, 2336 parameters"
std::string size_text(const io::TensorMap& tensors);

/// Prints tensors as the tree that the dots in their names make: branches with their number of
/// tensors and parameters, tensors with shape and type. A branch that holds nothing but another
/// shares its line ("model.diffusion_model"); a tensor that has others below its own name stands
/// among them as "(itself)". Branches end after `depth` levels, and long lists of tensors are cut;
/// 0 shows everything.
void print_tree(std::ostream& out, const io::TensorMap& tensors, int depth);

}  // namespace leaf::apps
