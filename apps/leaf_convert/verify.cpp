#include "leaf/pipeline/verify.h"

#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/exit_code.h"
#include "common/options.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf_convert/commands.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

struct VerifyArguments {
  fs::path model;
  fs::path activations;
  std::optional<double> tolerance;
};

void print_table(const std::vector<Comparison>& rows) {
  std::size_t name_width = 4;
  std::size_t shape_width = 5;
  for (const Comparison& row : rows) {
    name_width = std::max(name_width, printable(row.name).size());
    shape_width = std::max(shape_width, leaf::str(c10::IntArrayRef(row.shape)).size());
  }
  const auto print = [&](const std::string& name, const std::string& shape,
                         const std::string& error, const std::string& verdict) {
    std::cout << std::left << std::setw(static_cast<int>(name_width) + 2) << name
              << std::setw(static_cast<int>(shape_width) + 2) << shape << std::setw(12) << error
              << verdict << '\n';
  };
  print("name", "shape", "error", "verdict");
  for (const Comparison& row : rows) {
    const auto error = row.error ? leaf::str(std::setprecision(2), *row.error) : std::string("-");
    print(printable(row.name), leaf::str(c10::IntArrayRef(row.shape)), error, row.verdict);
  }
}

int conclude(const std::vector<Comparison>& rows, double tolerance) {
  const auto missed = std::count_if(rows.begin(), rows.end(), std::mem_fn(&Comparison::missed));
  const auto same = std::count_if(rows.begin(), rows.end(),
                                  [](const Comparison& row) { return row.verdict == "ok"; });
  std::cout << same << " ok, " << missed << " missed, "
            << static_cast<std::ptrdiff_t>(rows.size()) - same - missed
            << " not computed; tolerance " << tolerance << std::endl;
  if (same + missed == 0) {
    std::cout << "nothing could be compared: see docs/weights.md for the names" << std::endl;
  }
  return missed == 0 && same > 0 ? kExitSuccess : kExitSomeFailed;
}

int run(const VerifyArguments& o, const CommonOptions& common) {
  const fs::path folder = find_model_folder(o.model);
  const SegmenterOptions options{
      .device = parse_device(common.device, "--device"),
      .precision = parse_enum<Precision>(common.precision, "--precision")};
  const double tolerance = o.tolerance.value_or(expected_tolerance(folder, options.precision));
  const io::TensorMap recorded = read_activations(o.activations);
  TrainingModel model = load_training_model(folder);
  prepare_for_inference(model, options);
  const auto rows =
      compare_activations(compute_activations(model, recorded, options), recorded, tolerance);
  print_table(rows);
  return conclude(rows, tolerance);
}

}  // namespace

Command add_verify(CLI::App& app, const CommonOptions& common) {
  auto* command = app.add_subcommand(
      "verify", "Whether a model reproduces activations that another implementation recorded");
  const auto o = std::make_shared<VerifyArguments>();
  command->add_option("model", o->model, "Model folder, or a run folder (its best, else its last)")
      ->required();
  command
      ->add_option("--activations", o->activations,
                   "Inputs and what they led to (scripts/dump_activations.py writes such a file)")
      ->required();
  command
      ->add_option("--tolerance", o->tolerance,
                   "Largest relative error [1e-4 for weights in fp32, 5e-3 in fp16, 3e-2 in bf16]")
      ->check(CLI::PositiveNumber);
  return {command, [o, &common] { return run(*o, common); }};
}

}  // namespace leaf::apps
