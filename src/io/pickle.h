#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// A reader for Python's pickles that runs nothing: what a pickle asks to import or call becomes an
// inert Opaque, except for the handful of calls that torch.save uses to describe tensors and the
// modules of torch.jit.save, which become the dictionaries of their attributes.
namespace leaf::io::pickle {

/// Position of a value in Pickle::values. Values refer to each other so, because a pickle may share
/// values, nest them without limit and make cycles.
using Ref = std::uint32_t;

struct None {};
struct Tuple {
  std::vector<Ref> items;
};
struct List {
  std::vector<Ref> items;
};
struct Dict {
  std::vector<std::pair<Ref, Ref>> items;
};
/// A name that Python would import ("collections.OrderedDict").
struct Global {
  std::string name;
};
/// Something that only Python could build; `what`, an entry of Pickle::foreign, is its class or
/// function. Tensors of types that are of no use here (complex, quantised, sparse) are among them.
struct Opaque {
  std::string_view what;
  bool is_tensor = false;
};
/// A block of numbers outside the pickle: `count` items of `dtype`, or bytes where the tensors give
/// the type.
struct Storage {
  std::string key;
  std::optional<c10::ScalarType> dtype;
  std::int64_t count;
};
/// A strided view of a storage; all numbers as the file gives them, unchecked.
struct Tensor {
  Storage storage;
  c10::ScalarType dtype;
  std::int64_t offset;
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> strides;
};

using Value = std::variant<None, bool, std::int64_t, double, std::string, Tuple, List, Dict, Global,
                           Opaque, Storage, Tensor>;

struct Pickle {
  std::deque<Value> values;
  Ref root = 0;
  /// Classes and functions of everything that became an Opaque.
  std::set<std::string> foreign;
};

/// Reads a pickle of protocol 2 to 5. Throws WeightsError with `path` and a reason when it is
/// damaged, uses something that PyTorch never writes, or has more values than any checkpoint would.
Pickle parse(std::string_view bytes, const std::filesystem::path& path);

}  // namespace leaf::io::pickle
