#pragma once

#include <optional>

namespace leaf {

/// Memory in bytes that this process can still take without others having to give theirs back: what
/// the machine has available, or less where a control group (a container, a batch system's job)
/// sets a limit. None where that cannot be told.
std::optional<double> available_memory_bytes();

}  // namespace leaf
