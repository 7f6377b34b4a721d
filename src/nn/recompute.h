#pragma once

#include <ATen/core/TensorBody.h>
#include <torch/nn/module.h>

#include <functional>
#include <vector>

namespace leaf::nn {

/// A module whose inside can be computed again in the backward pass instead of being kept from the
/// forward pass to there: less memory for a longer step, and the same gradients to the bit.
class Recomputable : public torch::nn::Module {
 public:
  using Function = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

  void set_recomputed(bool on) { recomputed_ = on; }

 protected:
  /// Whether it shall: it learns, and was asked to.
  bool recomputes() const;

  /// function(inputs), of which only the inputs are kept. The function may use the module's
  /// parameters and LibTorch's random numbers, which are the same the second time, and must use
  /// each input once: the order in which several gradients are added could differ.
  at::Tensor recomputed(Function function, std::vector<at::Tensor> inputs) const;

 private:
  bool recomputed_ = false;
};

/// Has every Recomputable below `root` computed again.
void recompute_blocks(torch::nn::Module& root);

}  // namespace leaf::nn
