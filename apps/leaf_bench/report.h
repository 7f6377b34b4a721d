#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "leaf_bench/operators.h"
#include "leaf_bench/options.h"
#include "leaf_bench/session.h"

namespace leaf::apps {

/// What leaf_bench has found out.
struct BenchReport {
  std::string model;
  std::int64_t resolution = 0;
  std::int64_t batch = 0;
  std::string device;
  std::string precision;
  int threads = 0;
  double load_seconds = 0;
  double first_milliseconds = 0;     ///< of a whole batch
  std::vector<double> milliseconds;  ///< per image, of each run
  double peak_gigabytes = 0;         ///< resident memory
  std::optional<OperatorTimes> operators;
};

double peak_gigabytes();

double median(std::vector<double> values);

/// The figures, and the table of operators where there is one, on stdout.
void print(const BenchReport& report);

void write_json(const std::filesystem::path& path, const BenchReport& report);

}  // namespace leaf::apps
