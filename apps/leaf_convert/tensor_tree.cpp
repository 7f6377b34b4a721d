#include "leaf_convert/tensor_tree.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cctype>
#include <climits>
#include <map>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "leaf/core/strings.h"
#include "leaf/io/weights.h"

namespace leaf::apps {
namespace {

/// No network nests deeper. Names in files can; what is left of them is not taken apart any more.
constexpr int kDeepest = 64;

/// Tensors that one branch lists unless everything is asked for: names without dots, as those of
/// moving averages, would fill the screen.
constexpr std::size_t kMostListed = 20;

/// Numbers first, "2" before "10", then the others by letters. Keys may begin with a dot.
struct NumbersByValue {
  static std::pair<std::size_t, std::string_view> rank(const std::string& key) {
    const bool is_number = std::all_of(key.begin() + (key.starts_with('.') ? 1 : 0), key.end(),
                                       [](unsigned char c) { return std::isdigit(c) != 0; });
    return {is_number ? key.size() : SIZE_MAX, key};
  }
  bool operator()(const std::string& a, const std::string& b) const { return rank(a) < rank(b); }
};

/// What stands before the next dot -> the tensors below, under the rest of their names. The dot
/// belongs to the rest, so that no two names have the same key and rest: "" is the tensor itself.
using Branches = std::map<std::string, io::TensorMap, NumbersByValue>;

Branches branches_of(const io::TensorMap& tensors, bool apart = true) {
  Branches branches;
  for (const auto& [name, tensor] : tensors) {
    const auto dot = apart ? name.find('.', 1) : std::string::npos;
    branches[name.substr(0, dot)].emplace(dot == std::string::npos ? "" : name.substr(dot), tensor);
  }
  return branches;
}

bool is_leaf(const io::TensorMap& branch) { return branch.size() == 1 && branch.contains(""); }

/// How a key is printed below another: without its dot, if anything is left then.
std::string shown(const std::string& key, int level) {
  if (key.empty()) {
    return "(itself)";
  }
  return printable(level > 0 && key.size() > 1 ? key.substr(1) : key);
}

class Printer {
 public:
  Printer(std::ostream& out, int depth)
      : out_(out),
        depth_(depth > 0 ? depth : INT_MAX),
        most_listed_(depth > 0 ? kMostListed : SIZE_MAX) {}

  void print(const io::TensorMap& tensors, int level = 0) const {
    std::size_t listed = 0;
    std::size_t left_out = 0;
    for (auto& [key, branch] : branches_of(tensors, level < kDeepest)) {
      if (!is_leaf(branch)) {
        print_branch(key, std::move(branch), level);
      } else if (listed++ < most_listed_) {
        print_leaf(key, branch.begin()->second, level);
      } else {
        ++left_out;
      }
    }
    if (left_out > 0) {
      out_ << indent(level) << "... and " << count_text(left_out, "more tensor") << '\n';
    }
  }

 private:
  static std::string indent(int level) {
    return std::string(2 * static_cast<std::size_t>(level), ' ');
  }

  void print_leaf(const std::string& key, const at::Tensor& tensor, int level) const {
    out_ << indent(level) << shown(key, level) << "  " << leaf::str(tensor.sizes()) << "  "
         << c10::toString(tensor.scalar_type()) << '\n';
  }

  void print_branch(std::string key, io::TensorMap branch, int level) const {
    for (Branches inner = branches_of(branch); inner.size() == 1 && !is_leaf(inner.begin()->second);
         inner = branches_of(branch)) {
      key += inner.begin()->first;
      branch = std::move(inner.begin()->second);
    }
    out_ << indent(level) << shown(key, level) << "  " << size_text(branch) << '\n';
    if (level + 1 < depth_) {
      print(branch, level + 1);
    }
  }

  std::ostream& out_;
  int depth_;
  std::size_t most_listed_;
};

}  // namespace

std::string count_text(std::size_t count, const char* thing) {
  return leaf::str(count, " ", thing, count == 1 ? "" : "s");
}

std::string size_text(const io::TensorMap& tensors) {
  const auto parameters = static_cast<std::size_t>(io::parameter_count(tensors));
  return leaf::str(count_text(tensors.size(), "tensor"), ", ", count_text(parameters, "parameter"));
}

void print_tree(std::ostream& out, const io::TensorMap& tensors, int depth) {
  Printer(out, depth).print(tensors);
}

}  // namespace leaf::apps
