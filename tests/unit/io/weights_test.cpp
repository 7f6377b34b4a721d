#include "leaf/io/weights.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/nn/module.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "bytes.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/io/lost_files.h"
#include "leaf/io/safetensors.h"
#include "support/exif_bytes.h"
#include "support/fixture.h"
#include "support/temporary_folder.h"

namespace leaf::io {
namespace {

namespace fs = std::filesystem;
using test::expect_weights_error;
using test::fixture;

class Inner : public torch::nn::Module {
 public:
  Inner() {
    register_parameter("weight", at::zeros({2, 3}));
    register_parameter("bias", at::zeros({2}, at::kBFloat16));
    register_buffer("steps", at::zeros({}, at::kLong));
  }
};

class Outer : public torch::nn::Module {
 public:
  Outer() {
    register_parameter("scale", at::zeros({1}));
    register_module("inner", std::make_shared<Inner>());
  }
};

TensorMap fitting() {
  return {{"scale", at::full({1}, 5.0)},
          {"inner.weight", at::arange(6, at::kDouble).view({3, 2}).t()},
          {"inner.bias", at::ones({2})},
          {"inner.steps", at::full({}, 12, at::kInt)}};
}

std::string message_of(torch::nn::Module& module, const TensorMap& tensors) {
  try {
    load_parameters(module, tensors, "some/file");
  } catch (const WeightsError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ReadWeights, SaysWhatStandsInPlaceOfWeights) {
  const test::TemporaryFolder folder;
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 100\n";
  for (const char* name : {"a.safetensors", "a.ckpt", "a.safetensors.index.json"}) {
    write_file(folder / name, pointer);
    expect_weights_error(folder / name, "pointer of Git LFS", [&] { read_weights(folder / name); });
    for (const char* page : {"<!DOCTYPE html>\n<html><head>", "\n <html>", "\xEF\xBB\xBF<?xml "}) {
      write_file(folder / name, page);
      expect_weights_error(folder / name, "web page", [&] { read_weights(folder / name); });
    }
  }
}

TEST(ReadWeights, AFileWhoseLengthLooksLikeTheBeginningOfAPageIsRead) {
  const test::TemporaryFolder folder;
  constexpr std::size_t kHeader = 0x3C20;  // its first bytes are a blank and '<'
  std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  header.resize(kHeader, ' ');
  write_file(folder / "w.safetensors", test::little_endian(kHeader, 4) + test::little_endian(0, 4) +
                                           header + std::string("\0\0\x80\x3F", 4));
  EXPECT_EQ(read_weights(folder / "w.safetensors").at("w").item<float>(), 1);
}

TEST(ReadWeights, TakesOffWhatWrappersPutIntoNames) {
  const test::TemporaryFolder folder;
  const auto names_of = [&](const std::vector<std::string>& stored) {
    TensorMap tensors;
    for (const std::string& name : stored) {
      tensors.emplace(name, at::zeros({1}));
    }
    write_safetensors(folder / "w.safetensors", tensors);
    std::vector<std::string> names;
    for (const auto& [name, tensor] : read_weights(folder / "w.safetensors")) {
      names.push_back(name);
    }
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_of({"module.a", "module.b.c"}), (Names{"a", "b.c"}));
  EXPECT_EQ(names_of({"_orig_mod.a", "_orig_mod.b.c"}), (Names{"a", "b.c"}));
  EXPECT_EQ(names_of({"module._orig_mod.a"}), (Names{"a"}));
  EXPECT_EQ(names_of({"_orig_mod.module.a"}), (Names{"a"}));
  EXPECT_EQ(names_of({"model._orig_mod.a", "model.b"}), (Names{"model.a", "model.b"}));
  EXPECT_EQ(names_of({"module.a", "b"}), (Names{"b", "module.a"}));
  EXPECT_EQ(names_of({"_orig_mod.a", "a"}), (Names{"_orig_mod.a", "a"}));
}

TEST(LoadParameters, CopiesAndConverts) {
  Outer module;
  load_parameters(module, fitting(), "test");
  const TensorMap state = state_dict(module);
  ASSERT_EQ(state.size(), 4U);
  EXPECT_EQ(state.at("scale").item<float>(), 5.0F);
  EXPECT_EQ(state.at("inner.weight").scalar_type(), at::kFloat);
  EXPECT_EQ(state.at("inner.weight")[0][1].item<float>(), 2.0F);
  EXPECT_EQ(state.at("inner.bias").scalar_type(), at::kBFloat16);
  EXPECT_EQ(state.at("inner.steps").item<std::int64_t>(), 12);
  EXPECT_TRUE(module.named_parameters()["scale"].requires_grad());
  EXPECT_FALSE(state.at("scale").requires_grad());
}

TEST(MoveParameters, CopiesAndConverts) {
  Outer module;
  TensorMap given = fitting();
  move_parameters(module, std::move(given), "test");
  const TensorMap state = state_dict(module);
  EXPECT_EQ(state.at("scale").item<float>(), 5.0F);
  EXPECT_EQ(state.at("inner.weight").scalar_type(), at::kFloat);
  EXPECT_EQ(state.at("inner.weight")[0][1].item<float>(), 2.0F);
  EXPECT_EQ(state.at("inner.bias").scalar_type(), at::kBFloat16);
  EXPECT_TRUE(module.named_parameters()["scale"].requires_grad());
  EXPECT_THROW(move_parameters(module, {}, "test"), WeightsError);
}

TEST(LoadParameters, StateDictSharesMemory) {
  Outer module;
  state_dict(module).at("scale").fill_(3);
  EXPECT_EQ(module.named_parameters()["scale"].item<float>(), 3.0F);
}

TEST(LoadParameters, NamesEveryMismatchAtOnceAndCopiesNothing) {
  Outer module;
  TensorMap tensors = fitting();
  tensors.erase("inner.steps");
  tensors["inner.weight"] = at::zeros({2, 4});
  for (int i = 0; i < 7; ++i) {
    tensors["extra" + std::to_string(i)] = at::zeros({1});
  }
  EXPECT_EQ(message_of(module, tensors),
            "the weights in 'some/file' do not fit the model: 1 missing (inner.steps), "
            "7 unexpected (extra0, extra1, extra2, extra3, extra4, ...), "
            "1 of another shape (inner.weight: [2, 4] instead of [2, 3])");
  EXPECT_EQ(state_dict(module).at("scale").item<float>(), 0.0F);
}

TEST(LoadParameters, WhatIsNoWeightIsRefused) {
  Outer module;
  const auto expect = [&](const at::Tensor& weight, const std::string& reason) {
    TensorMap tensors = fitting();
    tensors["inner.weight"] = weight;
    EXPECT_NE(message_of(module, tensors).find("'inner.weight' in 'some/file' holds " + reason),
              std::string::npos)
        << message_of(module, tensors);
    EXPECT_THROW(move_parameters(module, std::move(tensors), "some/file"), WeightsError);
  };
  expect(at::ones({2, 3}, at::kChar), "Char numbers");
  expect(at::ones({2, 3}).to(at::kFloat8_e4m3fn), "Float8_e4m3fn numbers");
  expect(at::full({2, 3}, 1e300, at::kDouble), "numbers that are not finite");  // in float32
}

TEST(MappedFiles, OneThatIsCutShortIsNamed) {
  const test::TemporaryFolder folder;
  const fs::path file = folder / "a.safetensors";
  write_safetensors(file, {{"x", at::ones({1 << 20})}});
  constexpr int kExitCode = 7;
  const auto read_after_cut = [&] {
    explain_lost_files("leaf_test", kExitCode);
    const TensorMap tensors = read_safetensors(file);
    fs::resize_file(file, 8192);
    tensors.at("x").sum().item<float>();
  };
  EXPECT_EXIT(read_after_cut(), testing::ExitedWithCode(kExitCode),
              "^leaf_test: error: '.*/a.safetensors' was cut short, or its disk failed, while it "
              "was read; copy it again\n$");
  const auto elsewhere = [] {
    explain_lost_files("leaf_test", kExitCode);
    std::raise(SIGBUS);
    std::raise(SIGBUS);
  };
  EXPECT_EXIT(elsewhere(), testing::KilledBySignal(SIGBUS), "^$");
}

TEST(MoveParameters, LeavesNothingToTheFile) {
  const test::TemporaryFolder folder;
  const fs::path file = folder / "a.safetensors";
  write_safetensors(file, fitting());
  Outer module;
  move_parameters(module, read_safetensors(file), file.string());
  const at::Tensor before = state_dict(module).at("inner.weight").clone();
  std::fstream(file, std::ios::in | std::ios::out | std::ios::binary)
      << std::string(fs::file_size(file), 'x');
  EXPECT_TRUE(at::equal(state_dict(module).at("inner.weight"), before));
}

TEST(Prefixes, AddAndStrip) {
  const at::Tensor one = at::ones({1});
  const TensorMap tensors{{"a.x", one}, {"a.y", one}, {"ab", one}, {"b.x", one}};
  const TensorMap stripped = strip_prefix(tensors, "a.");
  ASSERT_EQ(stripped.size(), 2U);
  EXPECT_TRUE(stripped.contains("x") && stripped.contains("y"));
  EXPECT_TRUE(with_prefix(stripped, "c.").contains("c.x"));
  EXPECT_TRUE(strip_prefix(tensors, "z").empty());
  EXPECT_EQ(strip_prefix(tensors, "").size(), 4U);
}

TEST(ReadWeights, ByContent) {
  const test::TemporaryFolder folder;
  write_safetensors(folder / "a.safetensors", {{"x", at::ones({2})}});
  EXPECT_EQ(read_weights(folder / "a.safetensors").size(), 1U);
  fs::copy_file(folder / "a.safetensors", folder / "no_extension");
  EXPECT_EQ(read_weights(folder / "no_extension").size(), 1U);
  EXPECT_EQ(read_weights(fixture("torch_zip/plain.pth")).size(), 4U);
  fs::copy_file(fixture("torch_zip/plain.pth"), folder / "misnamed.safetensors");
  EXPECT_EQ(read_weights(folder / "misnamed.safetensors").size(), 4U);
}

TEST(ReadWeights, WhatIsNotAWeightFile) {
  const test::TemporaryFolder folder;
  const auto expect = [&](const std::string& name, const std::string& reason) {
    expect_weights_error(folder / name, reason, [&] { read_weights(folder / name); });
  };
  write_file(folder / "text.bin", "hello");
  write_file(folder / "empty.pth", "");
  write_file(folder / "page.safetensors", "<html>not found</html>");
  write_file(folder / "list.json", "[1]");
  write_file(folder / "config.json", "{\"a\": 1}");
  fs::create_directory(folder / "folder");
  expect("missing.pth", "no such file");
  expect("text.bin", "expected a safetensors file");
  expect("empty.pth", "expected a safetensors file");
  expect("page.safetensors", "it is a web page");
  expect("list.json", "not an object");
  expect("config.json", "no weight_map");
  expect("folder", "neither diffusion_pytorch_model.safetensors");
}

TEST(ReadWeights, FoldersAndShards) {
  const test::TemporaryFolder folder;
  const auto index = folder / "model.safetensors.index.json";
  write_safetensors(folder / "one.safetensors", {{"a", at::ones({1})}, {"b", at::ones({2})}});
  write_safetensors(folder / "two.safetensors", {{"c", at::ones({3})}});
  write_file(index, R"({"metadata": {"total_size": 24}, "weight_map":
      {"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"}})");
  EXPECT_EQ(read_weights(index).size(), 3U);
  EXPECT_EQ(read_weights(folder.path()).at("c").numel(), 3);
  write_safetensors(folder / "model.safetensors", {{"d", at::ones({1})}});
  EXPECT_EQ(read_weights(folder.path()).size(), 1U);
}

TEST(ReadWeights, DamagedIndex) {
  const test::TemporaryFolder folder;
  const auto index = folder / "model.safetensors.index.json";
  write_safetensors(folder / "one.safetensors", {{"a", at::ones({1})}});
  const auto expect = [&](const fs::path& path, const std::string& map, const std::string& reason) {
    write_file(index, R"({"weight_map": )" + map + "}");
    expect_weights_error(path, reason, [&] { read_weights(index); });
  };
  expect(folder / "one.safetensors", R"({"z": "one.safetensors"})", "lacks 'z'");
  expect(folder / "two.safetensors", R"({"a": "two.safetensors"})", "no such file");
  expect(index, R"({"a": "../one.safetensors"})", "not a plain file name");
  expect(index, R"({"a": 3})", "not a plain file name");
  expect(index, R"([])", "no weight_map");
  expect(index, R"({"a": "one.safetensors", "a": "one.safetensors"})", "named twice");
}

TEST(ReadWeights, AnIndexOfAnySizeIsNotRead) {
  const test::TemporaryFolder folder;
  const auto index = folder / "model.safetensors.index.json";
  constexpr std::size_t kLargest = std::size_t{64} << 20;
  write_file(index, R"({"weight_map": {}})");
  fs::resize_file(index, kLargest + 1);  // sparse
  expect_weights_error(index, "too large for the index", [&] { read_weights(index); });
}

}  // namespace
}  // namespace leaf::io
