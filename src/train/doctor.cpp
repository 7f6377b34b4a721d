#include "leaf/train/doctor.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/version.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

#include "core/gpu_cards.h"
#include "core/memory.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/split.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

Finding libraries() {
  return {"leaf", str(version(), ", LibTorch ", TORCH_VERSION, ", ", at::get_cpu_capability()), ""};
}

/// The first line of the driver's own account; empty without a driver.
std::string driver_text() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  return line;
}

/// at::hasCUDA() asks for a GPU and a driver besides.
bool is_cuda_build() { return !cuda_toolkit().empty(); }

std::string version_text(long number) {  // 13000 is 13.0
  return str(number / 1000, ".", number % 1000 / 10);
}

/// 90 is 9.0.
std::string capability_text(int number) { return str(number / 10, ".", number % 10); }

/// Whether kernels for one of CMAKE_CUDA_ARCHITECTURES ("80", "90-real", "90a") run on such a card;
/// true for what names no number ("native").
bool runs_on(const std::string& architecture, int capability) {
  std::smatch parts;
  if (!std::regex_match(architecture, parts, std::regex(R"((\d+)([a-z]?)(-real|-virtual)?)"))) {
    return true;
  }
  const int own = std::stoi(parts[1]);
  if (parts[2].length() > 0) {  // for this card alone
    return own == capability;
  }
  const bool machine_code_alone = parts[3] == "-real";
  return own <= capability && (!machine_code_alone || own / 10 == capability / 10);
}

Finding gpu(c10::Device device) {
  if (!is_cuda_build()) {
    return {"GPU", "not in this build", ""};
  }
  const auto count = at::getNumGPUs();
  const auto version = at::Context::versionCUDART();  // 13000 is 13.0
  Finding finding{"GPU",
                  str(count, " here, CUDA ", version_text(version), ", cuDNN ",
                      at::Context::hasCuDNN() ? str(at::Context::versionCuDNN()) : "none"),
                  ""};
  if (count == 0) {
    finding.advice = "no GPU is visible: see nvidia-smi and CUDA_VISIBLE_DEVICES";
  } else if (device.is_cpu()) {
    finding.advice = "there is a GPU, but --device is cpu; use --device auto";
  } else if (!at::Context::hasCuDNN()) {
    finding.advice = "put the folder of NVIDIA's cuDNN on LD_LIBRARY_PATH";
  }
  return finding;
}

Finding precision(const Config& config, c10::Device device) {
  const bool half = config.train.mixed_precision == Precision::kBFloat16;
  Finding finding{"arithmetic", str(enum_text(config.train.mixed_precision), " on ", device.str()),
                  ""};
  if (half && device.is_cpu()) {
    finding.advice = "bf16 is slower on a CPU; set train.mixed_precision: no";
  }
  return finding;
}

Finding memory() {
  constexpr double kLittle = 2e9;
  const auto bytes = available_memory_bytes();
  return {"memory", bytes ? str(bytes_text(*bytes), " available") : "not known",
          bytes && *bytes < kLittle
              ? "close other programs, or lower train.train_batch_size and data.cache_mb"
              : ""};
}

Finding threads() {
  const auto cores = std::thread::hardware_concurrency();
  const int used = at::get_num_threads();
  Finding finding{"threads", str(used, " on ", cores, cores == 1 ? " core" : " cores"), ""};
  if (used > static_cast<int>(cores)) {
    finding.advice = "more threads than cores wait for each other; lower --threads";
  }
  return finding;
}

void add_weights(std::vector<Finding>& findings, const std::string& key, const fs::path& path) {
  std::error_code unknown;
  if (!path.empty()) {
    findings.push_back({key, path.string(),
                        fs::exists(path, unknown)
                            ? ""
                            : "does not exist; see \"Weights\" in README.md, or correct the path"});
  }
}

/// Of a light model: nothing else is read.
std::vector<Finding> light_weights(const ModelSection& model) {
  std::vector<Finding> findings;
  add_weights(findings, "model.teacher", model.teacher);
  if (model.init != ModelInit::kRandom) {
    add_weights(findings, "model.pretrained", model.pretrained);
  }
  return findings;
}

std::vector<Finding> weights(const Config& config) {
  const ModelSection& model = config.model;
  if (config.task == Task::kDistill) {
    return light_weights(model);
  }
  if (model.init == ModelInit::kRandom && config.task == Task::kAutoencoder) {
    return {{"weights", "none are read (model.init: random)", ""}};
  }
  if (model.init == ModelInit::kRandom) {
    return {{"weights", "none are read (model.init: random)",
             "a model on a random autoencoder learns little: for dry runs"}};
  }
  std::vector<Finding> findings;
  add_weights(findings, "model.pretrained", model.pretrained);
  for (const fs::path& path : model.autoencoder_weights) {
    add_weights(findings, "model.autoencoder.weights", path);
  }
  add_weights(findings, "model.unet.weights", model.unet_weights);
  add_weights(findings, "model.latent_encoder.weights", model.latent_encoder_weights);
  if (config.task == Task::kSegmentation && config.alignment.teacher != "none" &&
      config.alignment.lambda > 0) {
    if (config.alignment.weights.empty()) {
      findings.push_back({"alignment.weights", "not set",
                          "name the teacher's weights, or set alignment.teacher: none"});
    }
    add_weights(findings, "alignment.weights", config.alignment.weights);
  }
  if (model.pretrained.empty() && model.autoencoder_weights.empty() &&
      config.task == Task::kSegmentation) {
    findings.push_back({"model.autoencoder.weights", "not set",
                        "name an autoencoder's weights, or model.pretrained"});
  }
  return findings;
}

Finding data_set(const Config& config) {
  try {
    const data::SplitPairs split = data::split_pairs(config.data, config.seed);
    const auto batch = static_cast<std::size_t>(config.train.train_batch_size);
    return {"data",
            str(split.train.size(), " to train, ", split.validation.size(), " to validate, ",
                split.test.size(), " to test"),
            split.train.size() < batch ? "fewer than one batch: lower train.train_batch_size" : ""};
  } catch (const Error& failure) {
    return {"data", "cannot be used", plain_message(failure)};
  }
}

Finding run_folder(const Config& config) {
  const fs::path& folder = config.output.dir;
  std::error_code unknown;
  if (fs::exists(folder, unknown)) {
    return {"output.dir", str(folder.string(), " exists"),
            "continue that run with --resume, or choose another folder"};
  }
  fs::path above = folder.parent_path();
  while (!above.empty() && !fs::exists(above, unknown) && above != above.parent_path()) {
    above = above.parent_path();
  }
  const auto space = fs::space(above, unknown);
  return {"output.dir",
          str(folder.string(), ", ", bytes_text(static_cast<double>(space.available)), " free"),
          ""};
}

}  // namespace

Finding judge_driver(const std::string& text, bool cuda_build) {
  constexpr int kOldest = 580;  // that CUDA 13.0 runs on
  if (text.empty()) {
    return {"GPU driver", "none", cuda_build ? "install NVIDIA's driver to use a GPU" : ""};
  }
  Finding finding{"GPU driver", text, ""};
  std::smatch version;
  if (!cuda_build) {
    finding.advice = "this build knows no GPU: build with the preset cuda (README)";
  } else if (std::regex_search(text, version, std::regex(R"(\s(\d{3})\.\d)")) &&
             std::stoi(version[1]) < kOldest) {
    finding.advice = str("CUDA 13.0 needs driver ", kOldest, " or newer: update NVIDIA's driver");
  }
  return finding;
}

Finding judge_card(const std::string& name, int capability, const std::string& architectures) {
  std::istringstream list(architectures);
  bool runs = false;
  for (std::string architecture; list >> architecture;) {
    runs = runs || runs_on(architecture, capability);
  }
  return {"card", str(name, ", compute capability ", capability_text(capability)),
          runs ? ""
               : str("this build's kernels are for ", architectures,
                     ": build with -DCMAKE_CUDA_ARCHITECTURES=", capability)};
}

Finding judge_toolkit(const std::string& toolkit, long libtorch) {
  const std::string theirs = version_text(libtorch);
  const auto major = [](const std::string& version) {
    return version.substr(0, version.find('.'));
  };
  return {"CUDA", str("compiled with ", toolkit, ", LibTorch with ", theirs),
          major(toolkit) == major(theirs)
              ? ""
              : str("these do not go together: build leaf with the CUDA toolkit ", theirs)};
}

std::vector<Finding> examine(const Config& config, c10::Device device) {
  std::vector<Finding> findings{libraries(), judge_driver(driver_text(), is_cuda_build()),
                                gpu(device)};
  if (is_cuda_build()) {
    findings.push_back(judge_toolkit(cuda_toolkit(), at::Context::versionCUDART()));
  }
  for (const GpuCard& card : gpu_cards()) {
    findings.push_back(judge_card(card.name, card.capability, cuda_architectures()));
  }
  findings.insert(findings.end(), {precision(config, device), memory(), threads()});
  const std::vector<Finding> of_weights = weights(config);
  findings.insert(findings.end(), of_weights.begin(), of_weights.end());
  findings.push_back(data_set(config));
  findings.push_back(run_folder(config));
  return findings;
}

}  // namespace leaf
