#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "io/torch_zip.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "pickle_bytes.h"
#include "support/temporary_folder.h"

namespace leaf::io {
namespace {

namespace fs = std::filesystem;
using test::storage;
using test::tensor;
using test::text;

constexpr std::int64_t kTensors = 12;
constexpr std::int64_t kNumbers = 1'000'000;
constexpr double kMegabyte = 1e6;

/// "VmRSS" or "VmHWM" (its highest value so far) of this process.
double memory_mb(const std::string& which) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(which + ":")) {
      return std::stod(line.substr(which.size() + 1)) * 1024 / kMegabyte;
    }
  }
  return 0;
}

/// Lets VmHWM begin anew; where the kernel does not, it only tells less.
void forget_peak() { std::ofstream("/proc/self/clear_refs") << 5; }

std::string numbers(const std::string& key) {
  return tensor(storage("FloatStorage", kNumbers, key), 0, {1000, 1000}, {1000, 1});
}

/// A Lightning checkpoint of 96 MB: half of it the network, half the optimizer's state.
void write_lightning(const fs::path& path) {
  std::string network = "}";
  std::string state = "}";
  for (std::int64_t i = 0; i < kTensors; ++i) {
    network += str(text(str("layer.", i)), numbers(std::to_string(i)), "s");
    state += str(text(std::to_string(i)), numbers(std::to_string(kTensors + i)), "s");
  }
  const std::string pickle = str("\x80\x02}", text("optimizer_states"), "]}", text("state"), state,
                                 "sas", text("state_dict"), network, "s.");
  const at::Tensor values = at::ones({kNumbers});
  caffe2::serialize::PyTorchStreamWriter writer(path.string());
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  for (std::int64_t i = 0; i < 2 * kTensors; ++i) {
    writer.writeRecord(str("data/", i), values.const_data_ptr(), values.nbytes());
  }
  writer.writeEndOfFile();
}

TEST(TorchZipMemory, OnlyWhatIsUsedIsRead) {
  const test::TemporaryFolder folder;
  write_lightning(folder / "a.ckpt");
  const double network_mb = kTensors * kNumbers * sizeof(float) / kMegabyte;
  at::ones({10}).sum();  // what the first operation needs

  double before = memory_mb("VmRSS");
  forget_peak();
  TensorMap read = read_torch_zip(folder / "a.ckpt");
  ASSERT_EQ(read.size(), static_cast<std::size_t>(kTensors));
  EXPECT_LT(memory_mb("VmHWM") - before, 0.1 * network_mb);  // nothing has been used yet

  // What an import does: every tensor is written elsewhere.
  write_safetensors(folder / "a.safetensors", read);
  EXPECT_GT(memory_mb("VmHWM") - before, 0.8 * network_mb);  // the measure works
  EXPECT_LT(memory_mb("VmHWM") - before, 1.2 * network_mb);
  read.clear();
  EXPECT_LT(memory_mb("VmRSS") - before, 0.2 * network_mb);

  before = memory_mb("VmRSS");
  forget_peak();
  write_safetensors(folder / "b.safetensors", read_safetensors(folder / "a.safetensors"));
  EXPECT_LT(memory_mb("VmHWM") - before, 1.2 * network_mb);
}

}  // namespace
}  // namespace leaf::io
