#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "leaf/data/mask_values.h"
#include "leaf_demo_data/phantom.h"
#include "tiny_project.h"

namespace leaf::test {

/// Masks of project/INPUTS in project/OUTPUT.
inline Outcome infer(const TinyProject& project, const std::vector<std::string>& inputs,
                     const std::string& output, const std::vector<std::string>& more = {},
                     const std::string& model = "model") {
  std::vector<std::string> arguments{"--model", project.path(model), "--output",
                                     project.path(output), "--input"};
  for (const std::string& input : inputs) {
    arguments.push_back(project.path(input));
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_cpu("leaf_infer", arguments);
}

/// A phantom cut to height x width.
inline at::Tensor phantom(std::int64_t index, std::int64_t height, std::int64_t width) {
  return apps::make_phantom(96, 3, static_cast<std::uint64_t>(index))
      .image.narrow(0, 0, height)
      .narrow(1, 0, width)
      .contiguous();
}

inline void expect_mask(const std::filesystem::path& path, std::int64_t height,
                        std::int64_t width) {
  const at::Tensor mask = data::read_mask(path);
  EXPECT_EQ(mask.sizes(), (std::vector<std::int64_t>{height, width})) << path;
  const at::Tensor is_255 = mask.eq(255);
  EXPECT_TRUE(is_255.logical_or(mask.eq(0)).all().item<bool>()) << path;
  EXPECT_TRUE(is_255.any().item<bool>() && !is_255.all().item<bool>()) << path;
}

/// The lines of an audit.
inline std::vector<nlohmann::json> audit_records(const TinyProject& project,
                                                 const std::string& output) {
  std::vector<nlohmann::json> records;
  std::ifstream file(project / (output + "/audit.jsonl"));
  for (std::string line; std::getline(file, line);) {
    records.push_back(nlohmann::json::parse(line));
  }
  return records;
}

}  // namespace leaf::test
