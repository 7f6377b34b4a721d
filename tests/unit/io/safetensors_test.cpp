#include "leaf/io/safetensors.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <string>
#include <vector>

#include "bytes.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "support/temporary_folder.h"

namespace leaf::io {
namespace {

using test::expect_weights_error;
using test::safetensors_bytes;

/// Writes the tensors and reads them back.
TensorMap round_trip(const TensorMap& tensors) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "a.safetensors", tensors);
  return read_safetensors(folder / "a.safetensors");
}

void expect_same(const at::Tensor& read, const at::Tensor& written) {
  EXPECT_EQ(read.scalar_type(), written.scalar_type());
  EXPECT_TRUE(at::equal(read.to(at::kDouble), written.to(at::kDouble)));  // not of every type
}

constexpr std::array<at::ScalarType, 15> kAllDtypes{
    at::kDouble,      at::kFloat,  at::kHalf,   at::kBFloat16, at::kFloat8_e4m3fn,
    at::kFloat8_e5m2, at::kLong,   at::kInt,    at::kShort,    at::kChar,
    at::kUInt64,      at::kUInt32, at::kUInt16, at::kByte,     at::kBool};

TEST(Safetensors, RoundTripOfEveryDtype) {
  TensorMap tensors;
  for (const auto dtype : kAllDtypes) {
    const std::string name = c10::toString(dtype);
    tensors[name] = at::tensor({0.0, 1.0, 2.0, 3.0, 4.0, 100.0}).to(dtype).view({2, 3});
    tensors[name + ".scalar"] = at::ones({}).to(dtype);
    tensors[name + ".empty"] = at::empty({0, 3}, dtype);
  }
  const TensorMap read = round_trip(tensors);
  ASSERT_EQ(read.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    SCOPED_TRACE(name);
    expect_same(read.at(name), tensor);
  }
}

TEST(Safetensors, StridedTensorsAreStoredRowMajor) {
  const at::Tensor base = at::arange(120, at::kFloat);
  const TensorMap tensors{
      {"transposed", base.view({8, 15}).t()},
      {"sliced", base.slice(0, 3, 90, 7)},
      {"expanded", at::tensor({2.0F}).expand({3, 4})},
      {"channels_last", base.view({2, 3, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast)},
      {"trainable", base.clone().requires_grad_()},
  };
  for (const auto& [name, tensor] : round_trip(tensors)) {
    SCOPED_TRACE(name);
    expect_same(tensor, tensors.at(name));
    EXPECT_TRUE(tensor.is_contiguous());
  }
}

TEST(Safetensors, ReadTensorsAreWritableAndLeaveTheFileAlone) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {{"a", at::zeros({1000})}});
  const std::string before = read_file(path);
  at::Tensor tensor = read_safetensors(path).at("a");  // The map is gone; the mapping must live on.
  std::filesystem::remove(path);
  write_file(path, before);
  tensor.fill_(1);
  EXPECT_EQ(tensor.sum().item<float>(), 1000.0F);
  EXPECT_EQ(read_file(path), before);
}

TEST(Safetensors, NamesHaveALimit) {
  const std::string longest(512, 'n');
  EXPECT_TRUE(round_trip({{longest, at::ones({1})}}).contains(longest));
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {{longest + "n", at::ones({1})}});
  expect_weights_error(path, "is too long", [&] { read_safetensors(path); });
}

TEST(Safetensors, MixedDtypesStayAligned) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {{"a", at::ones({3}, at::kByte)}, {"b", at::ones({5}, at::kDouble)}});
  const std::string content = read_file(path);
  EXPECT_EQ(static_cast<unsigned char>(content[0]) % 8, 0);
  EXPECT_NE(content.find(R"("b":{"data_offsets":[0,40])"), std::string::npos) << content;
}

TEST(Safetensors, MisalignedDataAreCopied) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  const float value = 1.5F;
  std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                       R"("a":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  write_file(path, safetensors_bytes(
                       header, "\x07" + std::string(reinterpret_cast<const char*>(&value), 4)));
  const TensorMap read = read_safetensors(path);
  EXPECT_EQ(read.at("a").item<float>(), 1.5F);
  EXPECT_EQ(read.at("b").item<int>(), 7);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read.at("a").const_data_ptr()) % sizeof(float), 0U);
}

TEST(Safetensors, BoolsAreZeroOrOne) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  write_file(path, safetensors_bytes(R"({"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})",
                                     std::string("\x00\x05", 2)));
  EXPECT_EQ(read_safetensors(path).at("a").to(at::kInt).sum().item<int>(), 1);
}

TEST(Safetensors, WrittenFilesNameTheirFormat) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {});
  EXPECT_TRUE(read_safetensors(path).empty());
  EXPECT_NE(read_file(path).find(R"({"__metadata__":{"format":"pt"}})"), std::string::npos);
}

TEST(Safetensors, MetadataAreNoTensors) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  for (const char* header : {"{}", R"({"__metadata__":{"step":"12"}})"}) {
    write_file(path, safetensors_bytes(header));
    EXPECT_TRUE(read_safetensors(path).empty()) << header;
  }
}

struct HostileFile {
  std::string reason;
  std::string bytes;
};

/// A file with the one tensor "a" of these fields and four bytes of data.
std::string one_tensor(const std::string& fields) {
  return safetensors_bytes(R"({"a":{)" + fields + "}}", "1234");
}

std::vector<HostileFile> hostile_files() {
  const std::string good = one_tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])");
  const std::string two = R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)";
  return {
      {"empty", ""},
      {"truncated", "1234567"},
      {"truncated", good.substr(0, 20)},
      {"truncated", good.substr(0, good.size() - 1)},
      {"after the last tensor", good + "5"},
      {"longer than 100 MB", std::string(8, '\xff') + "{}"},
      {"longer than 100 MB", std::string("\x01\xe1\xf5\x05\0\0\0\0", 8) + "{}"},
      {"JSON is damaged", safetensors_bytes("{\"a\":")},
      {"JSON is damaged", safetensors_bytes("")},
      {"JSON is damaged", safetensors_bytes("{\"\xff\xfe\":1}")},
      {"JSON is damaged", safetensors_bytes("{}x")},
      {"JSON is damaged", safetensors_bytes("{\"" + std::string(100'000, 'n') + "\n")},
      {"not an object", safetensors_bytes("[]")},
      {"too deeply", safetensors_bytes("{\"a\":" + std::string(100'000, '['))},
      {"named twice", safetensors_bytes(two + two.substr(1) + "}")},
      {"named twice",
       one_tensor(R"("dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4])")},
      {"needs dtype", safetensors_bytes("{\"a\":3}")},
      {"needs dtype", one_tensor(R"("shape":[1],"data_offsets":[0,4])")},
      {"unsupported dtype 'F8_E8M0'",
       one_tensor(R"("dtype":"F8_E8M0","shape":[4],"data_offsets":[0,4])")},
      {"dtype is not a string", one_tensor(R"("dtype":1,"shape":[1],"data_offsets":[0,4])")},
      {"needs 8 bytes", one_tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])")},
      {"not a whole number", one_tensor(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])")},
      {"not a whole number", one_tensor(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])")},
      {"not a whole number", one_tensor(R"("dtype":"F32","shape":["1"],"data_offsets":[0,4])")},
      {"not a whole number",
       one_tensor(R"("dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4])")},
      {"too large",
       one_tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4])")},
      {"too large",
       one_tensor(R"("dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,4])")},
      {"too large",
       one_tensor(R"("dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0])")},
      {"a begin and an end", one_tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])")},
      {"a begin and an end", one_tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4])")},
      {"truncated", one_tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])")},
      {"a hole or an overlap", one_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[2,4])")},
      {"a hole or an overlap",
       safetensors_bytes(two + R"("b":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})", "1234")},
      {"a hole or an overlap",
       safetensors_bytes(two + R"("b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})", "1234")},
      {"after the last tensor", one_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[0,2])")},
      {"not a short list", one_tensor(R"("dtype":"U8","data_offsets":[0,4],"shape":[4)" +
                                      [] {
                                        std::string ones;
                                        for (int i = 0; i < 100; ++i) {
                                          ones += ",1";
                                        }
                                        return ones;
                                      }() +
                                      "]")},
  };
}

TEST(Safetensors, HostileFilesAreRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder / "hostile.safetensors";
  for (const auto& [reason, bytes] : hostile_files()) {
    SCOPED_TRACE(bytes.substr(0, 120));
    write_file(path, bytes);
    expect_weights_error(path, reason, [&] { read_safetensors(path); });
  }
}

TEST(Safetensors, HeadersOfCountlessValuesAreRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  std::string zeros = R"({"a":[0)";
  zeros.reserve(4'100'000);
  for (int i = 0; i < 2'000'000; ++i) {
    zeros += ",0";
  }
  write_file(path, safetensors_bytes(zeros + "]}"));
  expect_weights_error(path, "too many values", [&] { read_safetensors(path); });
}

TEST(Safetensors, PipesAreNotOpened) {
  const test::TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  expect_weights_error(folder / "pipe", "not a regular file",
                       [&] { read_safetensors(folder / "pipe"); });
}

TEST(Safetensors, MissingFileAndFolder) {
  const test::TemporaryFolder folder;
  expect_weights_error(folder / "none", "no such file", [&] { read_safetensors(folder / "none"); });
  expect_weights_error(folder.path(), "folder", [&] { read_safetensors(folder.path()); });
}

TEST(Safetensors, WhatTheFormatCannotHold) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  const at::Tensor one = at::ones({1});
  EXPECT_THROW(write_safetensors(path, {{"a", one.to(at::kComplexFloat)}}), WeightsError);
  EXPECT_THROW(write_safetensors(path, {{"a", at::Tensor()}}), WeightsError);
  EXPECT_THROW(write_safetensors(path, {{"a", at::eye(2).to_sparse()}}), WeightsError);
  EXPECT_THROW(write_safetensors(path, {{"__metadata__", one}}), WeightsError);
  EXPECT_THROW(write_safetensors(path, {{"\xff", one}}), WeightsError);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Safetensors, WritingWhereItCannotBeWritten) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "taken");
  EXPECT_THROW(write_safetensors(folder / "taken", {{"a", at::ones({1})}}), FileError);
  write_file(folder / "file", "");
  EXPECT_THROW(write_safetensors(folder / "file/a.safetensors", {{"a", at::ones({1})}}), FileError);
  EXPECT_EQ(list_folder(folder.path()).size(), 2U);
}

/// Lets no file of this process grow beyond `bytes`, until the end of the scope.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &previous_);
    const rlimit limit{bytes, previous_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &previous_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit previous_{};
  void (*handler_)(int);
};

TEST(Safetensors, FullDiskLeavesTheOldFile) {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  write_safetensors(path, {{"a", at::ones({4})}});
  const std::string before = read_file(path);
  std::string message;
  {
    const FileSizeLimit limit(4096);
    try {
      write_safetensors(path, {{"a", at::ones({100'000})}});
    } catch (const FileError& error) {
      message = error.what();
    }
  }
  EXPECT_NE(message.find(path.string()), std::string::npos) << message;
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_EQ(read_file(path), before);
  EXPECT_EQ(list_folder(folder.path()).size(), 1U);
}

}  // namespace
}  // namespace leaf::io
