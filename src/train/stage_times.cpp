#include "stage_times.h"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace leaf {
namespace {

void wait_for(c10::Device device) {
  if (!device.is_cpu()) {
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  }
}

}  // namespace

void StageTimes::start(c10::Device device) {
  wait_for(device);
  device_ = device;
  seconds_.clear();
  since_ = Stopwatch();
}

void StageTimes::done(const std::string& stage) {
  if (device_) {
    wait_for(*device_);
    seconds_[stage] += since_.seconds();
    since_ = Stopwatch();
  }
}

}  // namespace leaf
