#include "pickle.h"

#include <array>
#include <bit>
#include <cstring>
#include <iterator>
#include <optional>
#include <unordered_map>

#include "leaf/core/strings.h"
#include "weight_file.h"

namespace leaf::io::pickle {
namespace {

/// Enough for a hundred times the largest checkpoints in use, and well under a gigabyte of memory.
constexpr std::size_t kMostValues = 2'000'000;

/// Bytes that may be copied out of values that the pickle can name again and again at no cost to
/// itself.
constexpr std::size_t kCopyBudget = 256'000'000;

constexpr int kNewestProtocol = 5;

struct StorageType {
  std::string_view name;
  c10::ScalarType dtype;
};
constexpr std::array<StorageType, 10> kStorageTypes{{
    {"torch.FloatStorage", c10::ScalarType::Float},
    {"torch.DoubleStorage", c10::ScalarType::Double},
    {"torch.HalfStorage", c10::ScalarType::Half},
    {"torch.BFloat16Storage", c10::ScalarType::BFloat16},
    {"torch.LongStorage", c10::ScalarType::Long},
    {"torch.IntStorage", c10::ScalarType::Int},
    {"torch.ShortStorage", c10::ScalarType::Short},
    {"torch.CharStorage", c10::ScalarType::Char},
    {"torch.ByteStorage", c10::ScalarType::Byte},
    {"torch.BoolStorage", c10::ScalarType::Bool},
}};

std::optional<c10::ScalarType> storage_dtype(std::string_view name) {
  for (const auto& known : kStorageTypes) {
    if (known.name == name) {
      return known.dtype;
    }
  }
  return std::nullopt;
}

/// The pickle's stack machine. Each run_* handles one family of opcodes and says whether `op` was
/// one.
class Machine {
 public:
  Machine(std::string_view bytes, const std::filesystem::path& path) : bytes_(bytes), path_(path) {}

  Pickle run() {
    for (;;) {
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') {
        result_.root = pop();
        return std::move(result_);
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
  void push_opaque(std::string_view what);
  void append(const std::vector<Ref>& items);
  void set_items(const std::vector<Ref>& items);
  void call(Ref function, Ref arguments);
  void call_ordered_dict(Ref arguments);
  void rebuild_tensor(Ref arguments);
  void load_storage(Ref persistent_id);

  [[noreturn]] void fail(std::string_view reason) const { bad_weights(path_, reason); }

  // Input.
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - position_) {
      fail("its pickle is truncated");
    }
    const auto taken = bytes_.substr(position_, count);
    position_ += count;
    return taken;
  }
  template <typename Number>
  Number take_number() {
    Number number;
    std::memcpy(&number, take(sizeof(Number)).data(), sizeof(Number));
    return number;
  }
  std::string_view take_line() {
    const auto end = bytes_.find('\n', position_);
    const auto line = take((end == std::string_view::npos ? bytes_.size() : end) - position_);
    take(1);
    return line;
  }

  // Stack. Nothing is popped from under the last mark.
  void push(Ref ref) {
    if (stack_.size() >= kMostValues) {
      fail("its pickle is too large");
    }
    stack_.push_back(ref);
  }
  void push_value(Value value) {
    if (result_.values.size() >= kMostValues) {
      fail("its pickle has too many values");
    }
    result_.values.push_back(std::move(value));
    push(static_cast<Ref>(result_.values.size() - 1));
  }
  Ref top() const {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) {
      fail("its pickle is damaged (nothing on the stack)");
    }
    return stack_.back();
  }
  Ref pop() {
    const Ref ref = top();
    stack_.pop_back();
    return ref;
  }
  std::vector<Ref> pop_last(std::size_t count) {
    std::vector<Ref> items(count);
    for (std::size_t i = count; i > 0; --i) {
      items[i - 1] = pop();
    }
    return items;
  }
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) {
      fail("its pickle is damaged (no mark)");
    }
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Ref> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }
  void charge(std::size_t bytes) {
    if (bytes > copy_budget_) {
      fail("its pickle is too large");
    }
    copy_budget_ -= bytes;
  }
  void remember(std::uint64_t index) {
    if (memo_.size() >= kMostValues) {
      fail("its pickle remembers too many values");
    }
    memo_[index] = top();
  }
  void recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) {
      fail("its pickle is damaged (unknown memo entry)");
    }
    push(found->second);
  }

  // Values.
  Value& at(Ref ref) { return result_.values[ref]; }
  template <typename Kind>
  Kind* as(Ref ref) {
    return std::get_if<Kind>(&at(ref));
  }
  template <typename Kind>
  Kind& expect(Ref ref, std::string_view what) {
    if (Kind* const value = as<Kind>(ref)) {
      return *value;
    }
    fail(str("its pickle is damaged (", what, " expected)"));
  }
  std::vector<std::int64_t> integers(Ref tuple) {
    const auto& items = expect<Tuple>(tuple, "a tuple").items;
    charge(items.size() * sizeof(std::int64_t));
    std::vector<std::int64_t> numbers;
    for (const Ref item : items) {
      numbers.push_back(expect<std::int64_t>(item, "an integer"));
    }
    return numbers;
  }

  std::string_view bytes_;
  const std::filesystem::path& path_;
  std::size_t position_ = 0;
  std::size_t copy_budget_ = kCopyBudget;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Ref> memo_;
  Pickle result_;
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
      if (marks_.size() >= kMostValues) {
        fail("its pickle nests too deeply");
      }
      marks_.push_back(stack_.size());
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
      remember(memo_.size());
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

void Machine::push_opaque(std::string_view what) {
  charge(what.size());
  push_value(Opaque{*result_.foreign.emplace(what).first});
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
  } else if (global->name == "torch._utils._rebuild_tensor_v2" ||
             global->name == "torch._utils._rebuild_tensor") {
    rebuild_tensor(arguments);
  } else if (global->name == "torch._utils._rebuild_parameter" ||
             global->name == "torch._utils._rebuild_parameter_with_state") {
    const auto& parts = expect<Tuple>(arguments, "a tuple").items;
    push(parts.empty() ? arguments : parts[0]);
  } else if (global->name == "collections.OrderedDict") {
    call_ordered_dict(arguments);
  } else {
    push_opaque(global->name);
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

/// (storage, offset, sizes, strides, ...); what follows concerns gradients.
void Machine::rebuild_tensor(Ref arguments) {
  const auto& parts = expect<Tuple>(arguments, "a tuple").items;
  if (parts.size() < 4) {
    fail("its pickle is damaged (a tensor without strides)");
  }
  if (const auto* const unknown = as<Opaque>(parts[0])) {
    push_opaque(unknown->what);
    return;
  }
  const auto& storage = expect<Storage>(parts[0], "a storage");
  charge(storage.key.size());
  push_value(Tensor{storage, expect<std::int64_t>(parts[1], "an integer"), integers(parts[2]),
                    integers(parts[3])});
}

/// ("storage", type, key, device, count).
void Machine::load_storage(Ref persistent_id) {
  const auto& parts = expect<Tuple>(persistent_id, "a tuple").items;
  const auto* const kind = parts.size() == 5 ? as<std::string>(parts[0]) : nullptr;
  if (!kind || *kind != "storage") {
    fail("its pickle is damaged (a storage expected)");
  }
  const auto& type = expect<Global>(parts[1], "a storage type").name;
  if (const auto dtype = storage_dtype(type)) {
    const auto& key = expect<std::string>(parts[2], "a storage key");
    charge(key.size());
    push_value(Storage{key, *dtype, expect<std::int64_t>(parts[4], "an integer")});
  } else {
    push_opaque(type);
  }
}

}  // namespace

Pickle parse(std::string_view bytes, const std::filesystem::path& path) {
  return Machine(bytes, path).run();
}

}  // namespace leaf::io::pickle
