#pragma once

namespace leaf {

/// From now on, large tensors on the CPU get memory that is kept and used again instead of going
/// back to the operating system, and that asks for huge pages. The C library unmaps every block
/// above 32 MB when it is freed, so that each large activation pays for thousands of page faults.
/// For programs to call once, before the first tensor is made; a second call does nothing.
void install_pooling_allocator();

/// Gives what is kept but unused back to the operating system: for the change between phases whose
/// tensors differ in size, such as training and validation. Without the pool, nothing.
void release_unused_memory();

}  // namespace leaf
