#pragma once

#include <iosfwd>

#include "leaf/io/tensor_map.h"

namespace leaf::apps {

/// Prints tensors as the tree that the dots in their names make: branches with their number of
/// tensors and parameters, tensors with shape and type. A branch that holds nothing but another
/// shares its line ("model.diffusion_model"). Branches end after `depth` levels, and long lists of
/// tensors are cut; 0 shows everything.
void print_tree(std::ostream& out, const io::TensorMap& tensors, int depth);

}  // namespace leaf::apps
