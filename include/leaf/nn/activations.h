#pragma once

#include <ATen/core/TensorBody.h>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace leaf::nn {

/// Records intermediate results of a forward pass by checkpoint name ("input_blocks.3"). Feature
/// alignment and the verification of converted weights both read them.
class Activations {
 public:
  explicit Activations(std::set<std::string> wanted) : wanted_(std::move(wanted)) {}

  /// Called by the networks: keeps `value` when `name` was asked for.
  void record(const std::string& name, const at::Tensor& value) {
    if (wanted_.contains(name)) {
      values_[name] = value;
    }
  }

  /// The recorded tensor; std::out_of_range when the pass has not reached it.
  const at::Tensor& at(const std::string& name) const { return values_.at(name); }

 private:
  std::set<std::string> wanted_;
  std::map<std::string, at::Tensor> values_;
};

}  // namespace leaf::nn
