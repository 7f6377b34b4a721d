#include "io/torch_zip.h"

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "bytes.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/random.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/weights.h"
#include "pickle_bytes.h"
#include "support/data_folder.h"
#include "support/fixture.h"
#include "support/temporary_folder.h"

namespace leaf::io {
namespace {

namespace fs = std::filesystem;
using test::dict_of;
using test::expect_weights_error;
using test::fixture;
using test::storage;
using test::tensor;
using test::write_checkpoint;

template <typename Number>
std::vector<Number> values(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.contiguous().view(-1);
  return {flat.const_data_ptr<Number>(), flat.const_data_ptr<Number>() + flat.numel()};
}

std::vector<double> doubles(const at::Tensor& tensor) {
  return values<double>(tensor.to(at::kDouble));
}

using Doubles = std::vector<double>;

TEST(TorchZip, PlainStateDictOfEveryProtocol) {
  for (const char* const name :
       {"plain.pth", "plain_protocol3.pth", "plain_protocol4.pth", "plain_protocol5.pth"}) {
    SCOPED_TRACE(name);
    const TensorMap read = read_torch_zip(fixture("torch_zip") / name);
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
  const TensorMap read = read_torch_zip(fixture("torch_zip/lightning.ckpt"));
  EXPECT_EQ(read.size(), 17U);
  EXPECT_FALSE(read.contains("types.complex"));  // A storage type that leaf has no use for.
  EXPECT_EQ(doubles(read.at("nested.deep")), Doubles{9});
  EXPECT_EQ(doubles(read.at("nested.5")), Doubles{8});
}

TEST(TorchZip, StridesOffsetsAndSharedStorages) {
  const TensorMap read = read_torch_zip(fixture("torch_zip/lightning.ckpt"));
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
  const TensorMap read = read_torch_zip(fixture("torch_zip/lightning.ckpt"));
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

TEST(TorchZip, NewerTypesAndTensorsWithAttributes) {
  const TensorMap read = read_torch_zip(fixture("torch_zip/newer_types.pth"));
  const auto expect = [&](const std::string& name, at::ScalarType dtype, const Doubles& numbers) {
    SCOPED_TRACE(name);
    EXPECT_EQ(read.at(name).scalar_type(), dtype);
    EXPECT_EQ(doubles(read.at(name)), numbers);
  };
  expect("float8_e4m3", at::kFloat8_e4m3fn, {1, -2.5});
  expect("float8_e5m2", at::kFloat8_e5m2, {0.5, 24});
  expect("uint16", at::kUInt16, {65535, 1});
  expect("uint32", at::kUInt32, {4294967295});
  expect("uint64", at::kUInt64, {1099511627776});
  expect("with_attribute", at::kFloat, {4, 5});
  expect("parameter", at::kFloat, {6});
  EXPECT_EQ(read.size(), 7U);
}

TEST(TorchZip, PassedOverTensorsAreNamed) {
  const test::TemporaryFolder folder;
  log::open_file(folder / "log.txt");
  read_torch_zip(fixture("torch_zip/newer_types.pth"));
  log::close_file();
  const std::string logged = read_file(folder / "log.txt");
  EXPECT_NE(logged.find("unsupported types passed over: 5 ("), std::string::npos) << logged;
  for (const char* const what : {"complex: torch.ComplexFloatStorage", "quantised: ", "sparse: ",
                                 "meta: ", "float8_fnuz: torch.float8_e4m3fnuz"}) {
    EXPECT_NE(logged.find(what), std::string::npos) << what << " in\n" << logged;
  }
}

TEST(TorchZip, CommandsAreNotRun) {
  fs::remove("leaf_ran_a_command");
  const auto path = fixture("torch_zip/command.pth");
  expect_weights_error(path, "posix.system", [&] { read_torch_zip(path); });
  const TensorMap read = read_torch_zip(fixture("torch_zip/command_inside.pth"));
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(doubles(read.at("weight")), (Doubles{1, 1}));
  EXPECT_FALSE(fs::exists("leaf_ran_a_command"));
}

TEST(TorchZip, TorchScriptArchivesAreReadAsTheirStateDict) {
  const TensorMap read = read_weights(fixture("torch_zip/torchscript.pt"));
  EXPECT_EQ(read.size(), 23U);
  EXPECT_EQ(read.at("visual.conv1.weight").sizes(), (std::vector<std::int64_t>{4, 3, 2, 2}));
  EXPECT_EQ(read.at("visual.conv1.weight").scalar_type(), at::kHalf);
  EXPECT_EQ(doubles(read.at("visual.class_embedding")), (Doubles{1, 2, 3, 4}));
  EXPECT_EQ(doubles(read.at("visual.transformer.resblocks.0.mlp.c_proj.bias")),
            (Doubles{265, 266, 267, 268}));
  EXPECT_EQ(doubles(read.at("input_resolution")), Doubles{4});
  const KnownWeights known = recognise(read, "torchscript.pt");
  EXPECT_EQ(known.format, "CLIP (OpenAI, open_clip)");
  EXPECT_EQ(known.parts.at(WeightPart::kTeacher).size(), 19U);
  EXPECT_EQ(known.unused, (std::vector<std::string>{"input_resolution", "logit_scale",
                                                    "token_embedding.weight", "visual.proj"}));
}

TEST(TorchZip, WholeModulesAndOldFormatsAreRefused) {
  expect_weights_error(fixture("torch_zip/whole_module.pth"), "state_dict",
                       [&] { read_torch_zip(fixture("torch_zip/whole_module.pth")); });
  expect_weights_error(fixture("torch_zip/before_1_6.pth"), "before version 1.6",
                       [&] { read_weights(fixture("torch_zip/before_1_6.pth")); });
  expect_weights_error(fixture("torch_zip/none.pth"), "no such file",
                       [&] { read_torch_zip(fixture("torch_zip/none.pth")); });
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
  const std::string whole = read_file(fixture("torch_zip/plain.pth"));
  for (std::size_t size = 1; size < whole.size(); size += 97) {
    SCOPED_TRACE(size);
    write_file(path, whole.substr(0, size));
    expect_weights_error(path, "damaged, or not a PyTorch checkpoint",
                         [&] { read_torch_zip(path); });
  }
}

TEST(TorchZip, DamagedBytesNeverDoMoreThanThrow) {
  const test::TemporaryFolder folder;
  const auto path = folder / "damaged.pth";
  const std::string whole = read_file(fixture("torch_zip/lightning.ckpt"));
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
