#pragma once

#include <ATen/core/TensorBody.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "leaf/core/strings.h"

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

  /// All that were recorded.
  const std::map<std::string, at::Tensor>& values() const { return values_; }

 private:
  std::set<std::string> wanted_;
  std::map<std::string, at::Tensor> values_;
};

/// Activations, or none, as seen from a place in the name tree: what a module records gets the
/// names of those around it as a prefix.
class Recorder {
 public:
  Recorder() = default;
  explicit Recorder(Activations* activations) : activations_(activations) {}

  /// For the module `name` of this one.
  template <typename Name>
  Recorder inside(const Name& name) const {
    Recorder inner(activations_);
    if (activations_ != nullptr) {
      inner.prefix_ = leaf::str(prefix_, name, '.');
    }
    return inner;
  }

  /// The output of the module `name`; returns it.
  template <typename Name>
  const at::Tensor& record(const Name& name, const at::Tensor& value) const {
    if (activations_ != nullptr) {
      activations_->record(leaf::str(prefix_, name), value);
    }
    return value;
  }

 private:
  Activations* activations_ = nullptr;
  std::string prefix_;
};

}  // namespace leaf::nn
