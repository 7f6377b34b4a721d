#pragma once

#include <cstddef>

namespace leaf {

/// From now on, tensors on the CPU get memory that is kept and used again instead of going back to
/// the operating system; large ones ask for huge pages. The C library unmaps large blocks when they
/// are freed and cuts its heap short, so that each activation pays for thousands of page faults.
/// For programs to call once, before the first tensor is made; a second call does nothing.
void install_pooling_allocator();

/// What a tensor of that many bytes takes of the pool's memory.
std::size_t allocated_bytes(std::size_t bytes);

/// Gives what is kept but unused back to the operating system: for the change between phases whose
/// tensors differ in size, such as training and validation. Without the pool, what the C library
/// keeps.
void release_unused_memory();

}  // namespace leaf
