#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "process_backend.h"

namespace leaf {

void add_device_backend(c10d::ProcessGroup& group, const c10::intrusive_ptr<c10d::Store>& store,
                        c10::Device device) {
  if (device.is_cuda()) {
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = kLongestWait;
    auto nccl = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, group.getRank(), group.getSize(),
                                                            options);
    group.setBackend(c10::kCUDA, c10d::ProcessGroup::BackendType::NCCL, nccl);
  }
}

}  // namespace leaf
