#include "pickle.h"

#include <bit>
#include <cstring>

#include "leaf/core/strings.h"
#include "pickle_objects.h"

namespace leaf::io::pickle {
namespace {

constexpr int kNewestProtocol = 5;

/// The pickle's stack machine. Each run_* handles one family of opcodes and says whether `op` was
/// one.
class Machine : private ObjectMaker {
 public:
  using ObjectMaker::ObjectMaker;

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
    case 'b':  // BUILD
      build(pop());
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

}  // namespace

Pickle parse(std::string_view bytes, const std::filesystem::path& path) {
  return Machine(bytes, path).run();
}

}  // namespace leaf::io::pickle
