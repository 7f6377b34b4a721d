#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bytes.h"
#include "io/torch_zip.h"
#include "leaf/core/strings.h"
#include "pickle_bytes.h"
#include "support/temporary_folder.h"

namespace leaf::io {
namespace {

using test::dict_of;
using test::expect_weights_error;
using test::integer;
using test::storage;
using test::tensor;
using test::text;
using test::tuple;
using test::write_checkpoint;

struct HostilePickle {
  std::string reason;
  std::string pickle;
};

std::string repeat(const std::string& code, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) {
    all += code;
  }
  return all;
}

/// A tensor of one element whose type is not its storage's.
std::string typed_tensor(const std::string& storage_code, const std::string& type) {
  return str("ctorch._utils\n_rebuild_tensor_v3\n(", storage_code, integer(0), tuple({1}),
             tuple({1}), "\x89N", type.empty() ? "N" : str("ctorch\n", type, "\n"), "tR");
}

/// Calls of calls of calls, which must not use up the stack.
std::string nested_subclasses() {
  constexpr int kDepth = 50'000;
  return str("\x80\x02}", text("a"), "ctorch._tensor\n_rebuild_from_type_v2\nq\x01",
             repeat("(h\x01N", kDepth), "N", repeat("Nt", kDepth), "Rs.");
}

/// Dictionaries in which each names the one before it ten times: 10^30 paths to the innermost
/// tensor.
std::string many_paths() {
  std::string code =
      str("\x80\x02}", text("t"), tensor(storage("FloatStorage", 4), 0, {1}, {1}), "s");
  for (int level = 0; level < 30; ++level) {
    code += str("q\x01", "0}");
    for (int i = 0; i < 10; ++i) {
      code += str(text(std::to_string(i)), "h\x01s");
    }
  }
  return code + ".";
}

std::vector<HostilePickle> hostile_pickles() {
  const std::string four = storage("FloatStorage", 4);
  const std::string one = tensor(four, 0, {1}, {1});
  const std::string untyped = str("(", text("storage"), "ctorch.storage\nUntypedStorage\n",
                                  text("0"), text("cpu"), integer(16), "tQ");
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  return {
      {"pickle is truncated", ""},
      {"pickle is truncated", "\x80\x02}"},
      {"pickle is truncated",
       "X\xff\xff\xff\xff"
       "abc"},
      {"pickle is truncated", std::string("\x8d") + std::string(8, '\xff') + "abc"},
      {"pickle is truncated", "cos\nsystem"},
      {"protocol 9 is newer", "\x80\x09}."},
      {"opcode 255", "\xff"},
      {"nothing on the stack", "."},
      {"nothing on the stack", "}(0."},
      {"nothing on the stack", "b"},
      {"no mark", "t."},
      {"unknown memo entry", "h\x05."},
      {"a list expected", "}Na."},
      {"a dict expected", "]NNs."},
      {"a key without a value", "}(Nu."},
      {"a tuple expected", "ccollections\nOrderedDict\nNR."},
      {"a tuple expected", "ctorch._utils\n_rebuild_tensor_v2\nNR."},
      {"a tensor without strides", "ctorch._utils\n_rebuild_tensor_v2\n)R."},
      {"a storage expected", "ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR."},
      {"a storage expected", ")Q."},
      {"no dictionary of tensors", "N."},
      {"no dictionary of tensors", "}."},
      {"no dictionary of tensors", dict_of("K\x01")},
      {"computed function", "N)R."},
      {"no dictionary of tensors", "c__torch__\nNet\n)\x81."},
      {"no dictionary of tensors", "c__torch__\nNet\n)\x81Nb."},
      {"nothing on the stack", "}b."},
      {"reaches beyond its storage", dict_of(tensor(four, 0, {5}, {1}))},
      {"reaches beyond its storage", dict_of(tensor(four, 4, {1}, {1}))},
      {"reaches beyond its storage", dict_of(tensor(four, -1, {1}, {1}))},
      {"reaches beyond its storage", dict_of(tensor(four, 0, {-1}, {1}))},
      {"reaches beyond its storage", dict_of(tensor(four, 0, {2}, {-1}))},
      {"reaches beyond its storage", dict_of(tensor(four, 0, {2, 2}, {1}))},
      {"reaches beyond its storage", dict_of(tensor(four, 0, {kHuge, kHuge}, {1, 1}))},
      {"reaches beyond its storage", dict_of(tensor(four, 0, {kHuge}, {kHuge}))},
      {"reaches beyond its storage", dict_of(tensor(four, INT64_MAX, {1}, {1}))},
      {"reaches beyond its storage", dict_of(tensor(four, 0, std::vector<std::int64_t>(100, 1),
                                                    std::vector<std::int64_t>(100, 1)))},
      {"repeats few numbers too often", dict_of(tensor(four, 0, {kHuge}, {0}))},
      {"repeats few numbers too often", dict_of(tensor(four, 0, {kHuge, kHuge >> 18}, {0, 0}))},
      {"a tensor without a type", dict_of(tensor(untyped, 0, {1}, {1}))},
      {"is truncated", dict_of(typed_tensor(storage("FloatStorage", INT64_MAX), "float32"))},
      {"a type expected", dict_of(typed_tensor(untyped, ""))},
      {"is truncated", dict_of(tensor(storage("FloatStorage", 5), 0, {1}, {1}))},
      {"is truncated", dict_of(tensor(storage("FloatStorage", -1), 0, {1}, {1}))},
      {"has no 'data/../0'", dict_of(tensor(storage("FloatStorage", 4, "../0"), 0, {1}, {1}))},
      {"nest too deeply",
       str("\x80\x02", repeat(str("}", text("a")), 50'000), "}", repeat("s", 50'000), ".")},
      {"nest too deeply", str("\x80\x02}q\x01", text("a"), "h\x01s.")},
      {"no dictionary of tensors", str("\x80\x02", repeat("]", 50'000), repeat("a", 49'999), ".")},
      {"too many tensors", many_paths()},
      {"no dictionary of tensors", nested_subclasses()},
      {"too many values", str("\x80\x02(", repeat("N", 2'000'001), "l.")},
      {"two tensors are named 'a.b'",
       str("\x80\x02}", text("a"), "}", text("b"), one, "ss", text("a.b"), one, "s.")},
      {"too long", str("\x80\x02}", text(std::string(100'000, 'n')), one, "s.")},
  };
}

TEST(HostilePickle, IsRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder / "hostile.pth";
  for (const auto& [reason, pickle] : hostile_pickles()) {
    SCOPED_TRACE(pickle.substr(0, 60));
    write_checkpoint(path, pickle);
    expect_weights_error(path, reason, [&] { read_torch_zip(path); });
  }
}

TEST(HostilePickle, CopiesOfSharedValuesAreBounded) {
  // A megabyte of text that two-byte opcodes would make into a new name each time.
  std::string code = str("\x80\x02", text(std::string(1'000'000, 'm')), "q\x01");
  for (int i = 0; i < 1000; ++i) {
    code += "h\x01h\x01\x93";
  }
  const test::TemporaryFolder folder;
  write_checkpoint(folder / "a.pth", code + ".");
  expect_weights_error(folder / "a.pth", "too large", [&] { read_torch_zip(folder / "a.pth"); });
}

}  // namespace
}  // namespace leaf::io
