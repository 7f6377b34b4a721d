#include "leaf_convert/tensor_tree.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>

#include "leaf/core/strings.h"
#include "leaf/io/weights.h"

namespace leaf::apps {
namespace {

/// No network nests deeper; names in files can claim anything.
constexpr int kDeepest = 64;

/// Tensors that one branch lists unless everything is asked for: names without dots, as those of
/// moving averages, would fill the screen.
constexpr std::size_t kMostListed = 20;

/// "2" before "10", else by letters.
struct NumbersByValue {
  static bool is_number(const std::string& text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](unsigned char c) { return std::isdigit(c) != 0; });
  }
  bool operator()(const std::string& a, const std::string& b) const {
    return is_number(a) && is_number(b) && a.size() != b.size() ? a.size() < b.size() : a < b;
  }
};

/// What stands before the first dot -> the tensors below, under the rest of their names; a tensor
/// of its own has the rest "".
using Branches = std::map<std::string, io::TensorMap, NumbersByValue>;

Branches branches_of(const io::TensorMap& tensors) {
  Branches branches;
  for (const auto& [name, tensor] : tensors) {
    const auto dot = name.find('.');
    const bool is_leaf = dot == std::string::npos;
    branches[name.substr(0, dot)].emplace(is_leaf ? "" : name.substr(dot + 1), tensor);
  }
  return branches;
}

bool is_leaf(const io::TensorMap& branch) { return branch.size() == 1 && branch.contains(""); }

class Printer {
 public:
  Printer(std::ostream& out, int depth)
      : out_(out), depth_(depth > 0 ? std::min(depth, kDeepest) : kDeepest) {
    most_listed_ = depth > 0 ? kMostListed : SIZE_MAX;
  }

  void print(const io::TensorMap& tensors, int level = 0) const {
    std::size_t listed = 0;
    std::size_t left_out = 0;
    for (auto& [name, branch] : branches_of(tensors)) {
      if (!is_leaf(branch)) {
        print_branch(name, branch, level);
      } else if (listed++ < most_listed_) {
        print_leaf(name, branch.begin()->second, level);
      } else {
        ++left_out;
      }
    }
    if (left_out > 0) {
      out_ << indent(level) << "... and " << left_out << " more tensors\n";
    }
  }

 private:
  static std::string indent(int level) {
    return std::string(2 * static_cast<std::size_t>(level), ' ');
  }

  void print_leaf(const std::string& name, const at::Tensor& tensor, int level) const {
    out_ << indent(level) << printable(name) << "  " << leaf::str(tensor.sizes()) << "  "
         << c10::toString(tensor.scalar_type()) << '\n';
  }

  void print_branch(std::string name, io::TensorMap branch, int level) const {
    for (int joined = 0; joined < kDeepest; ++joined) {
      Branches inner = branches_of(branch);
      if (inner.size() != 1 || is_leaf(inner.begin()->second)) {
        break;
      }
      name += leaf::str(".", inner.begin()->first);
      branch = std::move(inner.begin()->second);
    }
    out_ << indent(level) << printable(name) << "  " << branch.size() << " tensors, "
         << io::parameter_count(branch) << " parameters\n";
    if (level + 1 < depth_) {
      print(branch, level + 1);
    }
  }

  std::ostream& out_;
  int depth_;
  std::size_t most_listed_;
};

}  // namespace

void print_tree(std::ostream& out, const io::TensorMap& tensors, int depth) {
  Printer(out, depth).print(tensors);
}

}  // namespace leaf::apps
