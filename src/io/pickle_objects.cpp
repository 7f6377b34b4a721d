#include "pickle_objects.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "leaf/core/strings.h"

namespace leaf::io::pickle {
namespace {

/// The names of a type: of storages of it, and as an argument.
struct TypeName {
  std::string_view storage;
  std::string_view dtype;
  c10::ScalarType type;
};
constexpr std::array<TypeName, 15> kTypes{{
    {"torch.FloatStorage", "torch.float32", c10::ScalarType::Float},
    {"torch.DoubleStorage", "torch.float64", c10::ScalarType::Double},
    {"torch.HalfStorage", "torch.float16", c10::ScalarType::Half},
    {"torch.BFloat16Storage", "torch.bfloat16", c10::ScalarType::BFloat16},
    {"torch.LongStorage", "torch.int64", c10::ScalarType::Long},
    {"torch.IntStorage", "torch.int32", c10::ScalarType::Int},
    {"torch.ShortStorage", "torch.int16", c10::ScalarType::Short},
    {"torch.CharStorage", "torch.int8", c10::ScalarType::Char},
    {"torch.ByteStorage", "torch.uint8", c10::ScalarType::Byte},
    {"torch.BoolStorage", "torch.bool", c10::ScalarType::Bool},
    // Types that came after PyTorch stopped naming storages by them.
    {"", "torch.float8_e4m3fn", c10::ScalarType::Float8_e4m3fn},
    {"", "torch.float8_e5m2", c10::ScalarType::Float8_e5m2},
    {"", "torch.uint16", c10::ScalarType::UInt16},
    {"", "torch.uint32", c10::ScalarType::UInt32},
    {"", "torch.uint64", c10::ScalarType::UInt64},
}};
constexpr std::string_view kUntypedStorage = "torch.storage.UntypedStorage";

std::optional<c10::ScalarType> find_type(std::string_view TypeName::*kind, std::string_view name) {
  const auto* const found = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeName& known) {
    return !name.empty() && known.*kind == name;
  });
  return found == kTypes.end() ? std::nullopt : std::optional(found->type);
}

/// The modules of a TorchScript archive (torch.jit.save) are objects of classes under this name.
constexpr std::string_view kTorchScript = "__torch__.";

}  // namespace

void ObjectMaker::call(Ref function, Ref arguments) {
  const auto* const global = as<Global>(function);
  if (!global) {
    push_opaque("a call of a computed function");
    return;
  }
  const std::string_view name = global->name;
  if (rebuild_tensor(name, arguments)) {
    return;
  }
  if (name == "torch._utils._rebuild_parameter" ||
      name == "torch._utils._rebuild_parameter_with_state") {
    const auto& parts = expect<Tuple>(arguments, "a tuple").items;
    push(parts.empty() ? arguments : parts[0]);
  } else if (name == "torch._tensor._rebuild_from_type" ||
             name == "torch._tensor._rebuild_from_type_v2") {
    rebuild_subclass(name, arguments);
  } else if (name == "collections.OrderedDict") {
    call_ordered_dict(arguments);
  } else if (name == "collections.defaultdict") {
    push_value(Dict{});  // the argument makes missing values
  } else if (name.starts_with(kTorchScript)) {
    push(function);  // stands for the module until build() gives it its attributes
  } else {
    push_opaque(name, name.starts_with("torch._utils._rebuild_"));
  }
}

void ObjectMaker::build(Ref attributes) {
  const auto* const global = as<Global>(top());
  if (global && global->name.starts_with(kTorchScript)) {
    pop();
    push(attributes);
  }
}

/// OrderedDict() or OrderedDict([(key, value), ...]).
void ObjectMaker::call_ordered_dict(Ref arguments) {
  Dict dict;
  const auto& parts = expect<Tuple>(arguments, "a tuple").items;
  if (!parts.empty()) {
    const auto& pairs = expect<List>(parts[0], "a list").items;
    charge(pairs.size() * sizeof(dict.items[0]));
    for (const Ref pair : pairs) {
      const auto& items = expect<Tuple>(pair, "a tuple").items;
      if (items.size() != 2) {
        fail("its pickle is damaged (a pair expected)");
      }
      dict.items.emplace_back(items[0], items[1]);
    }
  }
  push_value(std::move(dict));
}

/// (storage, offset, sizes, strides, ...). What follows concerns gradients, and in the third form
/// names the type. False when `function` makes something else.
bool ObjectMaker::rebuild_tensor(std::string_view function, Ref arguments) {
  constexpr std::size_t kDtype = 6;
  const bool names_type = function == "torch._utils._rebuild_tensor_v3";
  if (!names_type && function != "torch._utils._rebuild_tensor_v2" &&
      function != "torch._utils._rebuild_tensor") {
    return false;
  }
  const auto& parts = expect<Tuple>(arguments, "a tuple").items;
  if (parts.size() < (names_type ? kDtype + 1 : 4)) {
    fail("its pickle is damaged (a tensor without strides or type)");
  }
  if (const auto* const unknown = as<Opaque>(parts[0])) {
    push_opaque(unknown->what, true);
    return true;
  }
  const auto& storage = expect<Storage>(parts[0], "a storage");
  if (!names_type) {
    if (!storage.dtype) {
      fail("its pickle is damaged (a tensor without a type)");
    }
    push_tensor(parts, storage, *storage.dtype);
    return true;
  }
  const auto& type = expect<Global>(parts[kDtype], "a type").name;
  if (const auto dtype = find_type(&TypeName::dtype, type)) {
    push_tensor(parts, storage, *dtype);
  } else {
    push_opaque(type, true);
  }
  return true;
}

void ObjectMaker::push_tensor(const std::vector<Ref>& parts, const Storage& storage,
                              c10::ScalarType dtype) {
  charge(storage.key.size());
  push_value(Tensor{storage, dtype, expect<std::int64_t>(parts[1], "an integer"),
                    integers(parts[2]), integers(parts[3])});
}

/// (function, class, its arguments, attributes): a tensor with something that Python attached.
void ObjectMaker::rebuild_subclass(std::string_view function, Ref arguments) {
  const auto& parts = expect<Tuple>(arguments, "a tuple").items;
  const auto* const inner = parts.size() == 4 ? as<Global>(parts[0]) : nullptr;
  if (!inner || !rebuild_tensor(inner->name, parts[2])) {
    push_opaque(inner ? inner->name : function, true);
  }
}

void ObjectMaker::load_storage(Ref persistent_id) {
  const auto& parts = expect<Tuple>(persistent_id, "a tuple").items;
  const auto* const kind = parts.size() == 5 ? as<std::string>(parts[0]) : nullptr;
  if (!kind || *kind != "storage") {
    fail("its pickle is damaged (a storage expected)");
  }
  const auto& type = expect<Global>(parts[1], "a storage type").name;
  const auto dtype = find_type(&TypeName::storage, type);
  if (dtype || type == kUntypedStorage) {
    const auto& key = expect<std::string>(parts[2], "a storage key");
    charge(key.size());
    push_value(Storage{key, dtype, expect<std::int64_t>(parts[4], "an integer")});
  } else {
    push_opaque(type, true);
  }
}

}  // namespace leaf::io::pickle
