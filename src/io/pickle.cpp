#include "pickle.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "leaf/core/strings.h"
#include "pickle_state.h"

namespace leaf::io::pickle {
namespace {

constexpr int kNewestProtocol = 5;

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

/// The pickle's stack machine. Each run_* handles one family of opcodes and says whether `op` was
/// one.
class Machine : private MachineState {
 public:
  using MachineState::MachineState;

  Pickle run() {
    for (;;) {
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') {
        return finish();
      }
      if (!run_number(op) && !run_text(op) && !run_sequence(op) && !run_dict(op) &&
          !run_stack(op) && !run_memo(op) && !run_object(op)) {
        fail(str("pickle opcode ", int{op}, " is not one that torch.save writes"));
      }
    }
  }

 private:
  bool run_number(unsigned char op);
  bool run_text(unsigned char op);
  bool run_sequence(unsigned char op);
  bool run_dict(unsigned char op);
  bool run_stack(unsigned char op);
  bool run_memo(unsigned char op);
  bool run_object(unsigned char op);

  void push_long(std::string_view digits);
  void push_global(std::string_view module, std::string_view name);
  void append(const std::vector<Ref>& items);
  void set_items(const std::vector<Ref>& items);
  void call(Ref function, Ref arguments);
  void call_ordered_dict(Ref arguments);
  bool rebuild_tensor(std::string_view function, Ref arguments);
  void rebuild_subclass(std::string_view function, Ref arguments);
  void push_tensor(const std::vector<Ref>& parts, const Storage& storage, c10::ScalarType dtype);
  void load_storage(Ref persistent_id);
};

bool Machine::run_number(unsigned char op) {
  switch (op) {
    case 'N':  // NONE
      push_value(None{});
      return true;
    case 0x88:  // NEWTRUE
    case 0x89:  // NEWFALSE
      push_value(op == 0x88);
      return true;
    case 'J':  // BININT
      push_value(std::int64_t{take_number<std::int32_t>()});
      return true;
    case 'K':  // BININT1
      push_value(std::int64_t{take_number<std::uint8_t>()});
      return true;
    case 'M':  // BININT2
      push_value(std::int64_t{take_number<std::uint16_t>()});
      return true;
    case 0x8a:  // LONG1
      push_long(take(take_number<std::uint8_t>()));
      return true;
    case 0x8b:  // LONG4
      push_long(take(take_number<std::uint32_t>()));
      return true;
    case 'G':  // BINFLOAT, the only big-endian number
      push_value(std::bit_cast<double>(__builtin_bswap64(take_number<std::uint64_t>())));
      return true;
    default:
      return false;
  }
}

bool Machine::run_text(unsigned char op) {
  switch (op) {
    case 'U':   // SHORT_BINSTRING
    case 'C':   // SHORT_BINBYTES
    case 0x8c:  // SHORT_BINUNICODE
      push_value(std::string(take(take_number<std::uint8_t>())));
      return true;
    case 'T':  // BINSTRING
    case 'X':  // BINUNICODE
    case 'B':  // BINBYTES
      push_value(std::string(take(take_number<std::uint32_t>())));
      return true;
    case 0x8d:  // BINUNICODE8
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      push_value(std::string(take(take_number<std::uint64_t>())));
      return true;
    default:
      return false;
  }
}

bool Machine::run_sequence(unsigned char op) {
  switch (op) {
    case ')':  // EMPTY_TUPLE
      push_value(Tuple{});
      return true;
    case 0x85:  // TUPLE1
    case 0x86:  // TUPLE2
    case 0x87:  // TUPLE3
      push_value(Tuple{pop_last(op - 0x84U)});
      return true;
    case 't':  // TUPLE
      push_value(Tuple{pop_to_mark()});
      return true;
    case ']':   // EMPTY_LIST
    case 0x8f:  // EMPTY_SET
      push_value(List{});
      return true;
    case 'l':   // LIST
    case 0x91:  // FROZENSET
      push_value(List{pop_to_mark()});
      return true;
    case 'a':  // APPEND
      append(pop_last(1));
      return true;
    case 'e':   // APPENDS
    case 0x90:  // ADDITEMS
      append(pop_to_mark());
      return true;
    default:
      return false;
  }
}

bool Machine::run_dict(unsigned char op) {
  switch (op) {
    case '}':  // EMPTY_DICT
      push_value(Dict{});
      return true;
    case 'd': {  // DICT
      const auto items = pop_to_mark();
      push_value(Dict{});
      set_items(items);
      return true;
    }
    case 's':  // SETITEM
      set_items(pop_last(2));
      return true;
    case 'u':  // SETITEMS
      set_items(pop_to_mark());
      return true;
    default:
      return false;
  }
}

bool Machine::run_stack(unsigned char op) {
  switch (op) {
    case 0x80:  // PROTO
      if (const int protocol = take_number<std::uint8_t>(); protocol > kNewestProtocol) {
        fail(str("pickle protocol ", protocol, " is newer than ", kNewestProtocol));
      }
      return true;
    case 0x95:  // FRAME: a hint for buffered reading
      take(sizeof(std::uint64_t));
      return true;
    case '(':  // MARK
      mark();
      return true;
    case '0':  // POP
      pop();
      return true;
    case '1':  // POP_MARK
      pop_to_mark();
      return true;
    case '2':  // DUP
      push(top());
      return true;
    default:
      return false;
  }
}

bool Machine::run_memo(unsigned char op) {
  switch (op) {
    case 'q':  // BINPUT
      remember(take_number<std::uint8_t>());
      return true;
    case 'r':  // LONG_BINPUT
      remember(take_number<std::uint32_t>());
      return true;
    case 0x94:  // MEMOIZE
      remember(memo_size());
      return true;
    case 'h':  // BINGET
      recall(take_number<std::uint8_t>());
      return true;
    case 'j':  // LONG_BINGET
      recall(take_number<std::uint32_t>());
      return true;
    default:
      return false;
  }
}

bool Machine::run_object(unsigned char op) {
  switch (op) {
    case 'c': {  // GLOBAL
      const auto module = take_line();
      push_global(module, take_line());
      return true;
    }
    case 0x93: {  // STACK_GLOBAL
      const auto names = pop_last(2);
      push_global(expect<std::string>(names[0], "a module"),
                  expect<std::string>(names[1], "a name"));
      return true;
    }
    case 'R':     // REDUCE
    case 0x81: {  // NEWOBJ
      const auto parts = pop_last(2);
      call(parts[0], parts[1]);
      return true;
    }
    case 0x92: {  // NEWOBJ_EX, with keyword arguments
      const auto parts = pop_last(3);
      call(parts[0], parts[1]);
      return true;
    }
    case 'b':  // BUILD: attributes of an object, which stay unread
      pop();
      top();
      return true;
    case 'Q':  // BINPERSID
      load_storage(pop());
      return true;
    default:
      return false;
  }
}

/// Python's integers have any number of digits; those beyond 64 bits are of no use here.
void Machine::push_long(std::string_view digits) {
  if (digits.size() > sizeof(std::int64_t)) {
    push_opaque("int");
    return;
  }
  const bool negative = !digits.empty() && static_cast<signed char>(digits.back()) < 0;
  std::int64_t number = negative ? -1 : 0;
  std::memcpy(&number, digits.data(), digits.size());
  push_value(number);
}

void Machine::push_global(std::string_view module, std::string_view name) {
  charge(module.size() + name.size());
  push_value(Global{str(module, ".", name)});
}

void Machine::append(const std::vector<Ref>& items) {
  if (as<Opaque>(top())) {
    return;
  }
  auto& list = expect<List>(top(), "a list").items;
  list.insert(list.end(), items.begin(), items.end());
}

void Machine::set_items(const std::vector<Ref>& items) {
  if (items.size() % 2 != 0) {
    fail("its pickle is damaged (a key without a value)");
  }
  if (as<Opaque>(top())) {
    return;
  }
  auto& dict = expect<Dict>(top(), "a dict").items;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    dict.emplace_back(items[i], items[i + 1]);
  }
}

void Machine::call(Ref function, Ref arguments) {
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
  } else {
    push_opaque(name, name.starts_with("torch._utils._rebuild_"));
  }
}

/// OrderedDict() or OrderedDict([(key, value), ...]).
void Machine::call_ordered_dict(Ref arguments) {
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
bool Machine::rebuild_tensor(std::string_view function, Ref arguments) {
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

void Machine::push_tensor(const std::vector<Ref>& parts, const Storage& storage,
                          c10::ScalarType dtype) {
  charge(storage.key.size());
  push_value(Tensor{storage, dtype, expect<std::int64_t>(parts[1], "an integer"),
                    integers(parts[2]), integers(parts[3])});
}

/// (function, class, its arguments, attributes): a tensor with something that Python attached.
void Machine::rebuild_subclass(std::string_view function, Ref arguments) {
  const auto& parts = expect<Tuple>(arguments, "a tuple").items;
  const auto* const inner = parts.size() == 4 ? as<Global>(parts[0]) : nullptr;
  if (!inner || !rebuild_tensor(inner->name, parts[2])) {
    push_opaque(inner ? inner->name : function, true);
  }
}

/// ("storage", type, key, device, count).
void Machine::load_storage(Ref persistent_id) {
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

}  // namespace

Pickle parse(std::string_view bytes, const std::filesystem::path& path) {
  return Machine(bytes, path).run();
}

}  // namespace leaf::io::pickle
