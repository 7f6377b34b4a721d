#pragma once

#include <ATen/core/TensorBody.h>

#include <functional>
#include <memory>
#include <vector>

namespace leaf {

using Tensors = std::vector<at::Tensor>;

/// A function of tensors on a GPU whose kernels are recorded at the first call for each set of
/// shapes and replayed by later ones, which spares the CPU's work of launching them. The function
/// must always queue the same work for the same shapes, and may not wait for the GPU. Results are
/// overwritten by the next call. On the CPU, and in builds without CUDA, it is simply called.
class RecordedFunction {
 public:
  explicit RecordedFunction(std::function<Tensors(const Tensors&)> function);
  ~RecordedFunction();
  RecordedFunction(RecordedFunction&&) noexcept;
  RecordedFunction& operator=(RecordedFunction&&) noexcept;

  /// Not for several threads at once.
  Tensors operator()(const Tensors& inputs);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace leaf
