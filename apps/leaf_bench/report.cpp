#include "leaf_bench/report.h"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "leaf/core/device.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf::apps {
namespace {

using Json = nlohmann::ordered_json;

double gigaflops_per_second(const OperatorTime& time) {
  return time.operations > 0 ? time.operations / time.milliseconds / 1e6 : 0;
}

void print_operators(const OperatorTimes& times) {
  std::size_t width = std::string("outside operators").size();
  for (const OperatorTime& time : times.operators) {
    width = std::max(width, time.name.size());
  }
  const auto row = [&](const std::string& name, const std::string& count, const std::string& ms,
                       const std::string& share, const std::string& rate) {
    std::cout << std::left << std::setw(static_cast<int>(width)) << name << std::right
              << std::setw(7) << count << std::setw(11) << ms << std::setw(9) << share
              << std::setw(10) << rate << '\n';
  };
  const auto share = [&](double ms) {
    return str(fixed(100 * ms / times.total_milliseconds, 2), " %");
  };
  std::cout << '\n';
  row("operator", "count", "ms", "share", "GFLOP/s");
  for (const OperatorTime& time : times.operators) {
    const double rate = gigaflops_per_second(time);
    row(time.name, str(time.count), fixed(time.milliseconds, 3), share(time.milliseconds),
        rate > 0 ? fixed(rate, 1) : "");
  }
  row("outside operators", "", fixed(times.outside_milliseconds, 3),
      share(times.outside_milliseconds), "");
  row("total", "", fixed(times.total_milliseconds, 3), share(times.total_milliseconds), "");
  std::cout << "GFLOP/s: arithmetic of the direct form over time; faster forms do less of it\n";
}

Json operators_json(const OperatorTimes& times) {
  Json operators = Json::array();
  for (const OperatorTime& time : times.operators) {
    operators.push_back({{"name", time.name},
                         {"count", time.count},
                         {"ms", time.milliseconds},
                         {"share", time.milliseconds / times.total_milliseconds},
                         {"gflops", gigaflops_per_second(time)}});
  }
  return {{"total_ms", times.total_milliseconds},
          {"outside_ms", times.outside_milliseconds},
          {"operators", operators}};
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double peak_gigabytes() { return peak_memory_bytes() / 1e9; }

void print(const BenchReport& r) {
  const auto [smallest, largest] =
      std::minmax_element(r.milliseconds.begin(), r.milliseconds.end());
  std::cout << "model         " << r.model << ", " << r.resolution << "x" << r.resolution << '\n'
            << "set-up        batch " << r.batch << ", " << r.precision << ", " << r.device << ", "
            << r.threads << (r.threads == 1 ? " thread\n" : " threads\n")  //
            << "load          " << fixed(r.load_seconds, 2) << " s\n"
            << "first call    " << fixed(r.first_milliseconds, 1) << " ms"
            << (r.batch > 1 ? " (the whole batch)\n" : "\n") << "per image     "
            << fixed(median(r.milliseconds), 1) << " ms (median of " << r.milliseconds.size()
            << "; " << fixed(*smallest, 1) << " to " << fixed(*largest, 1) << ")\n"
            << "peak memory   " << fixed(r.peak_gigabytes, 2) << " GB\n";
  if (r.operators) {
    print_operators(*r.operators);
  }
  std::cout << std::flush;
}

void write_json(const std::filesystem::path& path, const BenchReport& r) {
  Json json = {{"version", version()},
               {"model", r.model},
               {"resolution", r.resolution},
               {"batch", r.batch},
               {"device", r.device},
               {"precision", r.precision},
               {"threads", r.threads},
               {"load_s", r.load_seconds},
               {"first_ms", r.first_milliseconds},
               {"ms_per_image", median(r.milliseconds)},
               {"ms_per_image_of_each_run", r.milliseconds},
               {"peak_gb", r.peak_gigabytes}};
  if (r.operators) {
    json["explain"] = operators_json(*r.operators);
  }
  // File names need not be UTF-8, JSON must be.
  write_file(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace leaf::apps
