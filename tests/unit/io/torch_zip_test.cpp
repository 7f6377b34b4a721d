#include "leaf/io/torch_zip.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "bytes.h"
#include "leaf/core/files.h"
#include "leaf/core/random.h"
#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "support/data_folder.h"
#include "support/temporary_folder.h"

/// LibTorch's reader leaks its table of contents when it refuses a file, which is not ours to mend.
extern "C" const char* __lsan_default_suppressions() { return "leak:mz_zip_reader_"; }

namespace leaf::io {
namespace {

namespace fs = std::filesystem;
using test::expect_weights_error;

fs::path fixture(const std::string& name) { return fs::path(LEAF_FIXTURES) / "torch_zip" / name; }

template <typename Number>
std::vector<Number> values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous().view(-1);
  return {flat.const_data_ptr<Number>(), flat.const_data_ptr<Number>() + flat.numel()};
}

std::vector<double> doubles(const at::Tensor& tensor) {
  return values<double>(tensor.to(at::kDouble));
}

using Doubles = std::vector<double>;

/// A checkpoint with this pickle and the storage "0" of `storage`.
void write_checkpoint(const fs::path& path, const std::string& pickle,
                      const std::string& storage = std::string(16, '\0')) {
  caffe2::serialize::PyTorchStreamWriter writer(path.string());
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  writer.writeRecord("data/0", storage.data(), storage.size());
  writer.writeEndOfFile();
}

template <typename Number>
std::string raw(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}
std::string text(const std::string& value) {
  return str("X", raw(static_cast<std::uint32_t>(value.size())), value);
}
std::string integer(std::int64_t number) { return str("\x8a\x08", raw(number)); }
std::string tuple(const std::vector<std::int64_t>& numbers) {
  std::string code = "(";
  for (const auto number : numbers) {
    code += integer(number);
  }
  return code + "t";
}
std::string storage(const std::string& type, std::int64_t count, const std::string& key = "0") {
  return str("(", text("storage"), "ctorch\n", type, "\n", text(key), text("cpu"), integer(count),
             "tQ");
}
std::string tensor(const std::string& storage_code, std::int64_t offset,
                   const std::vector<std::int64_t>& sizes,
                   const std::vector<std::int64_t>& strides) {
  return str("ctorch._utils\n_rebuild_tensor_v2\n(", storage_code, integer(offset), tuple(sizes),
             tuple(strides), "\x89NtR");
}
/// Pickle of {"a": value}.
std::string dict_of(const std::string& value) { return str("\x80\x02}", text("a"), value, "s."); }

TEST(TorchZip, PlainStateDictOfEveryProtocol) {
  for (const char* const name :
       {"plain.pth", "plain_protocol3.pth", "plain_protocol4.pth", "plain_protocol5.pth"}) {
    SCOPED_TRACE(name);
    const TensorMap read = read_torch_zip(fixture(name));
    ASSERT_EQ(read.size(), 4U);
    EXPECT_EQ(read.at("layer.weight").sizes(), (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(values<float>(read.at("layer.weight")), (std::vector<float>{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(values<float>(read.at("layer.bias")), (std::vector<float>{0.5, -1.5}));
    EXPECT_EQ(read.at("scalar").dim(), 0);
    EXPECT_EQ(read.at("scalar").item<float>(), 7.0F);
    EXPECT_EQ(read.at("empty").sizes(), (std::vector<std::int64_t>{0, 4}));
  }
}

TEST(TorchZip, LightningStateDictStandsAlone) {
  const TensorMap read = read_torch_zip(fixture("lightning.ckpt"));
  EXPECT_EQ(read.size(), 17U);
  EXPECT_FALSE(read.contains("types.complex"));  // A storage type that leaf has no use for.
  EXPECT_EQ(doubles(read.at("nested.deep")), Doubles{9});
  EXPECT_EQ(doubles(read.at("nested.5")), Doubles{8});
}

TEST(TorchZip, StridesOffsetsAndSharedStorages) {
  const TensorMap read = read_torch_zip(fixture("lightning.ckpt"));
  const at::Tensor base = at::arange(24, at::kFloat);
  EXPECT_TRUE(at::equal(read.at("shared.first"), base.slice(0, 0, 12).view({3, 4})));
  EXPECT_TRUE(at::equal(read.at("shared.second"), base.slice(0, 12, 24).view({3, 4})));
  EXPECT_TRUE(at::equal(read.at("transposed"), base.view({4, 6}).t()));
  EXPECT_TRUE(at::equal(read.at("every_other"), base.slice(0, 1, 24, 2)));
  EXPECT_TRUE(at::equal(read.at("channels_last"), at::arange(16, at::kFloat).view({1, 2, 2, 4})));
  EXPECT_TRUE(read.at("channels_last").is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_EQ(doubles(read.at("expanded")), (Doubles{2, 2, 2}));
  EXPECT_TRUE(read.at("shared.first").is_alias_of(read.at("shared.second")));
}

TEST(TorchZip, Dtypes) {
  const TensorMap read = read_torch_zip(fixture("lightning.ckpt"));
  const auto expect = [&](const std::string& name, at::ScalarType dtype, const Doubles& numbers) {
    SCOPED_TRACE(name);
    EXPECT_EQ(read.at("types." + name).scalar_type(), dtype);
    EXPECT_EQ(doubles(read.at("types." + name)), numbers);
  };
  expect("bf16", at::kBFloat16, {1, -2.5});
  expect("fp16", at::kHalf, {0.5, 65504});
  expect("fp64", at::kDouble, {1e300});
  expect("int64", at::kLong, {-1099511627776.0});
  expect("int32", at::kInt, {-70000});
  expect("int16", at::kShort, {-300});
  expect("int8", at::kChar, {-3});
  expect("uint8", at::kByte, {250});
  expect("bool", at::kBool, {1, 0});
}

TEST(TorchZip, CommandsAreNotRun) {
  fs::remove("leaf_ran_a_command");
  const auto path = fixture("command.pth");
  expect_weights_error(path, "posix.system", [&] { read_torch_zip(path); });
  const TensorMap read = read_torch_zip(fixture("command_inside.pth"));
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(doubles(read.at("weight")), (Doubles{1, 1}));
  EXPECT_FALSE(fs::exists("leaf_ran_a_command"));
}

TEST(TorchZip, WholeModulesAndOldFormatsAreRefused) {
  expect_weights_error(fixture("whole_module.pth"), "state_dict",
                       [&] { read_torch_zip(fixture("whole_module.pth")); });
  expect_weights_error(fixture("before_1_6.pth"), "before version 1.6",
                       [&] { read_weights(fixture("before_1_6.pth")); });
  expect_weights_error(fixture("none.pth"), "no such file",
                       [&] { read_torch_zip(fixture("none.pth")); });
}

TEST(TorchZip, CraftedTensorIsRead) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.pth";
  write_checkpoint(path, dict_of(tensor(storage("ByteStorage", 4), 1, {2}, {2})),
                   std::string("\x01\x02\x03\x04", 4));
  EXPECT_EQ(doubles(read_torch_zip(path).at("a")), (Doubles{2, 4}));
  write_checkpoint(path, dict_of(tensor(storage("BoolStorage", 2), 0, {2}, {1})),
                   std::string("\x00\x07", 2));
  EXPECT_EQ(read_torch_zip(path).at("a").numel(), 2);
  EXPECT_EQ(read_torch_zip(path).at("a").view(at::kByte).sum().item<int>(), 1);
}

struct Hostile {
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

std::vector<Hostile> hostile_pickles() {
  const std::string four = storage("FloatStorage", 4);
  const std::string one = tensor(four, 0, {1}, {1});
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
      {"is truncated", dict_of(tensor(storage("FloatStorage", 5), 0, {1}, {1}))},
      {"is truncated", dict_of(tensor(storage("FloatStorage", -1), 0, {1}, {1}))},
      {"has no 'data/../0'", dict_of(tensor(storage("FloatStorage", 4, "../0"), 0, {1}, {1}))},
      {"nest too deeply",
       str("\x80\x02", repeat(str("}", text("a")), 50'000), "}", repeat("s", 50'000), ".")},
      {"nest too deeply", str("\x80\x02}q\x01", text("a"), "h\x01s.")},
      {"no dictionary of tensors", str("\x80\x02", repeat("]", 50'000), repeat("a", 49'999), ".")},
      {"too many tensors", many_paths()},
      {"too many values", str("\x80\x02(", repeat("N", 2'000'001), "l.")},
      {"two tensors are named 'a.b'",
       str("\x80\x02}", text("a"), "}", text("b"), one, "ss", text("a.b"), one, "s.")},
      {"too long", str("\x80\x02}", text(std::string(100'000, 'n')), one, "s.")},
  };
}

TEST(TorchZip, HostilePicklesAreRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder / "hostile.pth";
  for (const auto& [reason, pickle] : hostile_pickles()) {
    SCOPED_TRACE(pickle.substr(0, 60));
    write_checkpoint(path, pickle);
    expect_weights_error(path, reason, [&] { read_torch_zip(path); });
  }
}

TEST(TorchZip, CopiesOfSharedValuesAreBounded) {
  // A megabyte of text that two-byte opcodes would make into a new name each time.
  std::string code = str("\x80\x02", text(std::string(1'000'000, 'm')), "q\x01");
  for (int i = 0; i < 1000; ++i) {
    code += "h\x01h\x01\x93";
  }
  const test::TemporaryFolder folder;
  write_checkpoint(folder / "a.pth", code + ".");
  expect_weights_error(folder / "a.pth", "too large", [&] { read_torch_zip(folder / "a.pth"); });
}

TEST(TorchZip, BigEndianFilesAreRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.pth";
  {
    caffe2::serialize::PyTorchStreamWriter writer(path.string());
    writer.writeRecord("byteorder", "big", 3);
    writer.writeRecord("data.pkl", "}.", 2);
    writer.writeEndOfFile();
  }
  expect_weights_error(path, "big-endian", [&] { read_torch_zip(path); });
}

TEST(TorchZip, CompressionBombsAreRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.pth";
  const std::string zeros(1'000'000, '\0');
  {
    caffe2::serialize::PyTorchStreamWriter writer(path.string());
    const std::string pickle = dict_of(tensor(storage("ByteStorage", 1), 0, {1}, {1}));
    writer.writeRecord("data.pkl", pickle.data(), pickle.size());
    writer.writeRecord("data/0", zeros.data(), zeros.size(), /*compress=*/true);
    writer.writeEndOfFile();
  }
  expect_weights_error(path, "compressed", [&] { read_torch_zip(path); });
}

TEST(TorchZip, TruncatedFiles) {
  const test::TemporaryFolder folder;
  const auto path = folder / "cut.pth";
  const std::string whole = read_file(fixture("plain.pth"));
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    SCOPED_TRACE(size);
    write_file(path, whole.substr(0, size));
    expect_weights_error(path, "damaged, or not a PyTorch checkpoint",
                         [&] { read_torch_zip(path); });
  }
}

TEST(TorchZip, DamagedBytesNeverDoMoreThanThrow) {
  const test::TemporaryFolder folder;
  const auto path = folder / "damaged.pth";
  const std::string whole = read_file(fixture("lightning.ckpt"));
  RandomStream random(7, Purpose::kNoise);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    for (int change = 0; change < 3; ++change) {
      damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    }
    write_file(path, damaged);
    try {
      for (const auto& [name, tensor] : read_torch_zip(path)) {
        tensor.to(at::kDouble).sum();
      }
    } catch (const WeightsError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
}

using RealTorchZip = test::DataFolderTest;

TEST_F(RealTorchZip, IsRead) {
  const TensorMap read = read_torch_zip(folder_ / "weights/taef2_encoder.pth");
  EXPECT_EQ(read.at("14.weight").sizes(), (std::vector<std::int64_t>{32, 64, 3, 3}));
  std::int64_t count = 0;
  for (const auto& [name, tensor] : read) {
    EXPECT_EQ(tensor.scalar_type(), at::kHalf) << name;
    EXPECT_TRUE(at::isfinite(tensor).all().item<bool>()) << name;
    count += tensor.numel();
  }
  EXPECT_NEAR(static_cast<double>(count), 1.34e6, 0.1e6);
}

}  // namespace
}  // namespace leaf::io
