#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "weight_file.h"

namespace leaf::io {
namespace {

/// Tensors that do not fit, by what is wrong with them.
using Problems = std::vector<std::pair<std::string, std::vector<std::string>>>;

Problems find_problems(const TensorMap& wanted, const TensorMap& given) {
  std::vector<std::string> missing;
  std::vector<std::string> unexpected;
  std::vector<std::string> misshapen;
  for (const auto& [name, tensor] : wanted) {
    const auto found = given.find(name);
    if (found == given.end()) {
      missing.push_back(name);
    } else if (found->second.sizes() != tensor.sizes()) {
      misshapen.push_back(str(name, ": ", shape_text(found->second.sizes()), " instead of ",
                              shape_text(tensor.sizes())));
    }
  }
  for (const auto& [name, tensor] : given) {
    if (!wanted.contains(name)) {
      unexpected.push_back(printable(name));
    }
  }
  return {{"missing", missing}, {"unexpected", unexpected}, {"of another shape", misshapen}};
}

/// "2 missing (a, b)"; the first five names stand for all.
std::string summary(const std::string& what, std::vector<std::string> names) {
  constexpr std::size_t kShown = 5;
  const std::size_t count = names.size();
  if (count > kShown) {
    names.resize(kShown);
    names.emplace_back("...");
  }
  return str(count, " ", what, " (", join(names, ", "), ")");
}

void require_match(const TensorMap& wanted, const TensorMap& given, const std::string& source) {
  std::vector<std::string> summaries;
  std::vector<std::string> details;
  for (const auto& [what, names] : find_problems(wanted, given)) {
    for (const std::string& name : names) {
      details.push_back(str(what, ": ", name));
    }
    if (!names.empty()) {
      summaries.push_back(summary(what, names));
    }
  }
  if (!details.empty()) {
    throw WeightsMismatch(
        str("the weights in '", source, "' do not fit the model: ", join(summaries, ", ")),
        details);
  }
}

/// True when every number is finite. The sum says so in one pass without a copy; only where it
/// overflows are the numbers looked at one by one.
bool is_finite(const at::Tensor& tensor) {
  return std::isfinite(tensor.sum(at::kFloat).item<float>()) ||
         at::isfinite(tensor).all().item<bool>();
}

/// Whether numbers of this type are weights. Whole numbers and those of 8 bits are quantised, which
/// mean nothing without their scale.
bool holds_weights(at::ScalarType type) {
  return type == at::kFloat || type == at::kHalf || type == at::kBFloat16 || type == at::kDouble;
}

void require_weights(const at::Tensor& target, const at::Tensor& tensor, const std::string& name,
                     const std::string& source) {
  if (target.is_floating_point() && !holds_weights(tensor.scalar_type())) {
    throw WeightsError(str("the tensor '", name, "' in '", source, "' holds ",
                           c10::toString(tensor.scalar_type()),
                           " numbers; floating-point weights are needed"));
  }
}

/// Numbers that would make every result worthless.
void require_finite(const at::Tensor& tensor, const std::string& name, const std::string& source) {
  if (tensor.is_floating_point() && !is_finite(tensor)) {
    throw WeightsError(str("the tensor '", name, "' in '", source,
                           "' holds numbers that are not finite (NaN or infinity); take another "
                           "copy of the file, or an earlier checkpoint"));
  }
}

}  // namespace

void load_parameters(torch::nn::Module& module, const TensorMap& tensors,
                     const std::string& source) {
  const TensorMap targets = state_dict(module);
  require_match(targets, tensors, source);
  for (const auto& [name, target] : targets) {
    const at::Tensor& tensor = tensors.at(name);
    require_weights(target, tensor, name, source);
    require_finite(tensor.to(target.scalar_type()), name, source);
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) {
    target.copy_(tensors.at(name));
  }
}

void move_parameters(torch::nn::Module& module, TensorMap&& tensors, const std::string& source) {
  const TensorMap targets = state_dict(module);
  require_match(targets, tensors, source);
  const at::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) {
    const at::Tensor tensor = std::move(tensors.extract(name).mapped());
    require_weights(target, tensor, name, source);
    target.copy_(tensor);
    require_finite(target, name, source);  // of what is used, whatever happens to the file
  }
}

}  // namespace leaf::io
