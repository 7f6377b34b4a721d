#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "leaf/pipeline/segmenter.h"
#include "support/run_program.h"
#include "support/temporary_folder.h"

namespace leaf::test {

/// In a model folder.
inline const std::string kUnetWeights = "unet/diffusion_pytorch_model.safetensors";

/// A temporary folder with a configuration of a tiny network (64x64) and a data set of phantoms.
struct TinyProject {
  /// Writes config.yaml and data/{images,masks}, whose last `test` images are the test part.
  explicit TinyProject(std::int64_t images = 4, std::int64_t size = 64, std::int64_t test = 2);

  /// Writes model/ with random weights and a threshold that half of a picture's pixels exceed.
  const TinyProject& with_model() const;

  /// Multiplies a tensor of model/PART by `factor`, which may be NaN.
  void scale_weight(const std::string& part, const std::string& name, double factor) const;

  std::filesystem::path operator/(const std::string& name) const { return folder / name; }
  std::string path(const std::string& name) const { return (folder / name).string(); }
  nlohmann::json json(const std::string& name) const;

  TemporaryFolder folder;
};

/// Runs a program on one CPU thread.
Outcome run_cpu(const std::string& name, std::vector<std::string> arguments);

/// Expects exit code 2 and, on stderr, one line that starts "NAME: error: " and holds all of
/// `parts`.
void expect_usage_error(const Outcome& outcome, const std::string& name,
                        const std::vector<std::string>& parts);

/// Expects that the text holds all of `parts`.
void expect_parts(const std::string& text, const std::vector<std::string>& parts);

/// Expects that --help lists every option and that --version names leaf and LibTorch.
void expect_help(const std::string& name, const std::vector<std::string>& options);

}  // namespace leaf::test
