#pragma once

#include <ATen/core/TensorBody.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>
#include <string_view>

#include "leaf/core/precision.h"

namespace leaf {

/// Reads "auto", "cpu", "cuda" or "cuda:N"; "auto" takes a GPU when there is one. Throws
/// ConfigError for anything else and for a GPU that is not there; its message says `what` was
/// wrong.
c10::Device parse_device(std::string_view text, std::string_view what = "device");

/// Makes float32 mean float32 on a GPU (TF32 off), and lets cuDNN time its algorithms for each
/// shape once. A process does this once, before it computes; nothing on the CPU.
void set_up_gpu(c10::Device device);

/// A copy on `device`, from memory of the CPU without waiting for the copy's end.
at::Tensor to_device(const at::Tensor& tensor, c10::Device device);

/// Sets how many CPU threads LibTorch's operators use; 0 keeps one per core. More than four per
/// core are one per core, with a warning that says `what` was too much.
void set_threads(int threads, std::string_view what = "threads");

/// The type of the numbers that a precision computes with.
at::ScalarType type_of(Precision precision);

/// Runs the enclosed operations in a narrow precision where autocast knows them to be safe; leaves
/// all as they are in float32.
class AutocastGuard {
 public:
  AutocastGuard(c10::Device device, Precision precision);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  c10::DeviceType type_;
  bool active_;
  bool previous_;
  at::ScalarType previous_type_;
};

/// The precision of the AutocastGuards around the caller.
Precision autocast_precision(c10::Device device);

/// Peak resident memory of this process so far, in bytes.
double peak_memory_bytes();

/// leaf's version, "0.1.0".
std::string version();

}  // namespace leaf
