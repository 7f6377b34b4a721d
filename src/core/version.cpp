#include "leaf/core/device.h"

namespace leaf {

std::string version() { return LEAF_VERSION; }

}  // namespace leaf
