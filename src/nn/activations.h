#pragma once

#include <ATen/core/TensorBody.h>

#include <charconv>
#include <concepts>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace leaf::nn {

/// Keeps intermediate results of a forward pass by checkpoint name ("input_blocks.3"). Feature
/// alignment and the verification of converted weights both read them.
class Activations {
 public:
  explicit Activations(std::set<std::string> wanted) : wanted_(std::move(wanted)) {}

  /// The recorded tensor; std::out_of_range when the pass has not reached it.
  const at::Tensor& at(const std::string& name) const { return values_.at(name); }

  /// All that were recorded.
  const std::map<std::string, at::Tensor>& values() const { return values_; }

 private:
  friend class Recorder;

  std::set<std::string> wanted_;
  std::map<std::string, at::Tensor> values_;
};

/// Activations, or none, as seen from a place in the name tree. It knows which of the wanted names
/// lie below its place, so that a pass which records one of them builds no names of all modules.
class Recorder {
 public:
  Recorder() = default;
  /// At the root. `activations` may be null and must outlive the recorder.
  explicit Recorder(Activations* activations) : activations_(activations) {
    if (activations != nullptr) {
      first_ = activations->wanted_.begin();
      last_ = activations->wanted_.end();
    }
  }

  /// For the module `name` of this one.
  template <typename Name>
  Recorder inside(const Name& name) const {
    const Part part(name);
    Recorder inner = *this;
    if (activations_ != nullptr) {  // names with the same beginning are neighbours
      const auto is_inside = [&](const std::string& wanted) {
        const std::string_view rest = below(wanted);
        return rest.size() > part.text().size() && rest.starts_with(part.text()) &&
               rest[part.text().size()] == '.';
      };
      while (inner.first_ != last_ && !is_inside(*inner.first_)) {
        ++inner.first_;
      }
      inner.last_ = inner.first_;
      while (inner.last_ != last_ && is_inside(*inner.last_)) {
        ++inner.last_;
      }
      inner.depth_ = depth_ + part.text().size() + 1;
    }
    return inner;
  }

  /// Keeps the output of the module `name`, if it was asked for; returns it.
  template <typename Name>
  const at::Tensor& record(const Name& name, const at::Tensor& value) const {
    if (activations_ != nullptr) {
      const Part part(name);
      for (auto wanted = first_; wanted != last_; ++wanted) {
        if (below(*wanted) == part.text()) {
          activations_->values_[*wanted] = value;
        }
      }
    }
    return value;
  }

 private:
  /// One part of a name: a word or a number.
  class Part {
   public:
    explicit Part(std::string_view word) : text_(word) {}
    explicit Part(std::integral auto number)
        : text_(digits_, std::to_chars(digits_, digits_ + sizeof digits_, number).ptr) {}
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    std::string_view text() const { return text_; }

   private:
    char digits_[24] = {};
    std::string_view text_;
  };

  /// A wanted name without the names of the modules around this place.
  std::string_view below(const std::string& wanted) const {
    return std::string_view(wanted).substr(depth_);
  }

  Activations* activations_ = nullptr;
  std::set<std::string>::const_iterator first_, last_;  ///< the wanted names below this place
  std::size_t depth_ = 0;                               ///< length of what stands before them
};

}  // namespace leaf::nn
