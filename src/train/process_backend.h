#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace leaf {

/// For another process: a lost one is noticed otherwise.
inline constexpr std::chrono::hours kLongestWait{12};

/// Lets a group exchange tensors on a GPU, by NCCL; nothing for the CPU.
void add_device_backend(c10d::ProcessGroup& group, const c10::intrusive_ptr<c10d::Store>& store,
                        c10::Device device);

}  // namespace leaf
