#include "leaf/core/device.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf {

c10::Device parse_device(std::string_view text, std::string_view what) {
  const bool has_cuda = at::hasCUDA() && at::getNumGPUs() > 0;
  if (text == "auto") {
    return has_cuda ? c10::Device(c10::kCUDA, 0) : c10::Device(c10::kCPU);
  }
  if (text == "cpu") {
    return c10::kCPU;
  }
  std::size_t index = 0;
  const bool numbered = text.starts_with("cuda:") && text.size() > 5 && text.size() < 9 &&
                        text.find_first_not_of("0123456789", 5) == std::string_view::npos;
  if (numbered) {
    index = std::stoul(std::string(text.substr(5)));
  } else if (text != "cuda") {
    throw ConfigError(str(what, " '", text, "' is not one of auto, cpu, cuda, cuda:N"));
  }
  if (!has_cuda) {
    throw ConfigError(str(what, " ", text, ": no GPU here (or a CPU build); use ", what, " cpu"));
  }
  if (index >= at::getNumGPUs()) {
    throw ConfigError(str(what, " ", text, ": there are only ", at::getNumGPUs(), " GPUs"));
  }
  return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)};
}

void set_up_gpu(c10::Device device) {
  if (device.is_cuda()) {
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setBenchmarkCuDNN(true);
  }
}

at::Tensor to_device(const at::Tensor& tensor, c10::Device device) {
  if (!device.is_cuda() || !tensor.device().is_cpu()) {
    return tensor.to(device);
  }
  return tensor.pin_memory().to(device, /*non_blocking=*/true);
}

void set_threads(int threads, std::string_view what) {
  constexpr int kMostPerCore = 4;
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (threads > kMostPerCore * cores) {
    log::warn(str(what, " ", threads, " on ", cores, cores == 1 ? " core: " : " cores: ", cores,
                  cores == 1 ? " is" : " are", " used"));
    threads = cores;
  }
  if (threads > 0) {
    at::set_num_threads(threads);
  }
}

at::ScalarType type_of(Precision precision) {
  switch (precision) {
    case Precision::kBFloat16:
      return at::kBFloat16;
    case Precision::kFloat16:
      return at::kHalf;
    case Precision::kFloat32:
      break;
  }
  return at::kFloat;
}

AutocastGuard::AutocastGuard(c10::Device device, Precision precision)
    : type_(device.type()),
      active_(precision != Precision::kFloat32),
      previous_(at::autocast::is_autocast_enabled(type_)),
      previous_type_(at::autocast::get_autocast_dtype(type_)) {
  if (active_) {
    at::autocast::set_autocast_dtype(type_, type_of(precision));
    at::autocast::set_autocast_enabled(type_, true);
    at::autocast::increment_nesting();
  }
}

AutocastGuard::~AutocastGuard() {
  if (active_) {
    if (at::autocast::decrement_nesting() == 0) {
      at::autocast::clear_cache();
    }
    at::autocast::set_autocast_enabled(type_, previous_);
    at::autocast::set_autocast_dtype(type_, previous_type_);
  }
}

Precision autocast_precision(c10::Device device) {
  if (!at::autocast::is_autocast_enabled(device.type())) {
    return Precision::kFloat32;
  }
  return at::autocast::get_autocast_dtype(device.type()) == at::kHalf ? Precision::kFloat16
                                                                      : Precision::kBFloat16;
}

double peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024.0;
}

}  // namespace leaf
