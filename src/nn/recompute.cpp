#include "nn/recompute.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "leaf/core/device.h"
#include "leaf/core/error.h"

namespace leaf::nn {
namespace {

using torch::autograd::SavedVariable;
using torch::autograd::variable_list;
using Function = Recomputable::Function;

/// The state of LibTorch's generator of a device.
class RandomState {
 public:
  explicit RandomState(c10::Device device)
      : generator_(at::globalContext().defaultGenerator(device)), state_(current()) {}

  /// Runs `action` on the same random numbers as followed on the construction; those that others
  /// draw are not disturbed.
  template <typename Action>
  void replay(const Action& action) {
    const at::Tensor before = current();
    restore(state_);
    action();
    restore(before);
  }

 private:
  at::Tensor current() {
    const std::lock_guard lock(generator_.mutex());
    return generator_.get_state();
  }
  void restore(const at::Tensor& state) {
    const std::lock_guard lock(generator_.mutex());
    generator_.set_state(state);
  }

  at::Generator generator_;
  at::Tensor state_;
};

/// Inputs as leaves of a graph of their own.
variable_list as_leaves(const variable_list& inputs) {
  variable_list leaves;
  for (const at::Tensor& input : inputs) {
    leaves.push_back(input.detach().set_requires_grad(input.requires_grad()));
  }
  return leaves;
}

/// The function's place in the graph. Parameters are inputs like others.
class RecomputeNode : public torch::autograd::Node {
 public:
  RecomputeNode(Function function, const variable_list& inputs, variable_list parameters,
                RandomState random)
      : function_(std::move(function)),
        parameters_(std::move(parameters)),
        random_(std::move(random)),
        device_(inputs.front().device()),
        precision_(autocast_precision(device_)) {
    for (const at::Tensor& input : inputs) {
      inputs_.emplace_back(input, /*is_output=*/false);
    }
    set_next_edges(torch::autograd::collect_next_edges(inputs, parameters_));
  }

  variable_list apply(variable_list&& gradients) override {
    if (inputs_.empty()) {
      throw Error("recompute: the graph has been used already");
    }
    variable_list inputs;
    for (const SavedVariable& input : inputs_) {
      inputs.push_back(input.unpack());
    }
    const variable_list leaves = as_leaves(inputs);
    at::Tensor output;
    random_.replay([&] {
      const at::AutoGradMode with_gradients(true);
      const AutocastGuard autocast(device_, precision_);
      output = function_(leaves);
    });
    return gradients_of(output, gradients[0], leaves);
  }

  void release_variables() override { inputs_.clear(); }
  std::string name() const override { return "leaf::Recompute"; }

 private:
  /// One for each edge; undefined where none is wanted.
  variable_list gradients_of(const at::Tensor& output, const at::Tensor& gradient,
                             const variable_list& leaves) const {
    variable_list all = leaves;
    all.insert(all.end(), parameters_.begin(), parameters_.end());
    variable_list wanted;
    for (const at::Tensor& tensor : all) {
      if (tensor.requires_grad()) {
        wanted.push_back(tensor);
      }
    }
    const variable_list found = torch::autograd::grad(
        {output}, wanted, {gradient}, /*retain_graph=*/false, /*create_graph=*/false,
        /*allow_unused=*/true);
    variable_list result;
    auto next = found.begin();
    for (const at::Tensor& tensor : all) {
      result.push_back(tensor.requires_grad() ? *next++ : at::Tensor());
    }
    return result;
  }

  Function function_;
  std::vector<SavedVariable> inputs_;
  variable_list parameters_;
  RandomState random_;
  c10::Device device_;
  Precision precision_;
};

}  // namespace

bool Recomputable::recomputes() const {
  return recomputed_ && is_training() && at::GradMode::is_enabled();
}

at::Tensor Recomputable::recomputed(Function function, std::vector<at::Tensor> inputs) const {
  RandomState random(inputs.front().device());
  at::Tensor output = function(as_leaves(inputs)).detach();  // its graph ends here
  variable_list parameters = this->parameters();
  const std::shared_ptr<RecomputeNode> node(
      new RecomputeNode(std::move(function), inputs, std::move(parameters), std::move(random)),
      torch::autograd::deleteNode);
  torch::autograd::set_history(output, node);
  return output;
}

void recompute_blocks(torch::nn::Module& root) {
  for (const auto& part : root.modules(/*include_self=*/true)) {
    if (auto* block = dynamic_cast<Recomputable*>(part.get())) {
      block->set_recomputed(true);
    }
  }
}

}  // namespace leaf::nn
