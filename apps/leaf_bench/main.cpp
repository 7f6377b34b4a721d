#include <ATen/Parallel.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "common/exit_code.h"
#include "common/run_app.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "leaf_bench/compare.h"
#include "leaf_bench/options.h"
#include "leaf_bench/report.h"
#include "leaf_bench/session.h"
#include "leaf_bench/training.h"

namespace leaf::apps {
namespace {

double milliseconds_per_image(BenchSession& session) {
  return session.run() / static_cast<double>(session.batch());
}

void serve(BenchSession& session) {
  using Json = nlohmann::ordered_json;
  const auto answer = [](const Json& json) { std::cout << json << std::endl; };
  answer({{"load_s", session.load_seconds()},
          {"first_ms", session.first_milliseconds()},
          {"peak_gb", peak_gigabytes()}});
  for (std::string line; std::getline(std::cin, line);) {
    const double milliseconds = milliseconds_per_image(session);
    answer({{"ms", milliseconds}, {"peak_gb", peak_gigabytes()}});
  }
}

void measure(BenchSession& session, const BenchOptions& o, const Runtime& runtime) {
  BenchReport report{.model = o.model.string(),
                     .resolution = session.resolution(),
                     .batch = session.batch(),
                     .device = runtime.device.str(),
                     .precision = o.common.precision,
                     .threads = at::get_num_threads(),
                     .load_seconds = session.load_seconds(),
                     .first_milliseconds = session.first_milliseconds(),
                     .milliseconds = {},
                     .operators = {}};
  for (int i = 0; i < o.runs; ++i) {
    report.milliseconds.push_back(milliseconds_per_image(session));
  }
  report.peak_gigabytes = peak_gigabytes();
  if (o.explain) {
    report.operators = time_operators([&] { session.run(); });
  }
  print(report);
  if (!o.json.empty()) {
    write_json(o.json, report);
  }
}

/// Options of the program itself are not seen by a command.
void require_none_before(const CLI::App& app, const CLI::App& command) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() > 0) {
      throw ConfigError(str(option->get_name(), " stands before '", command.get_name(),
                            "', which does not see it; leave it out, or put it behind where '",
                            command.get_name(), "' has it"));
    }
  }
}

int run(const BenchOptions& o) {
  if (o.model.empty() && o.compare.empty()) {
    throw ConfigError("--model or --compare is required; see leaf_bench --help");
  }
  const Runtime runtime = apply(o.common);
  if (!o.compare.empty()) {
    return compare_models(o, runtime);
  }
  if (o.explain && !runtime.device.is_cpu()) {
    throw ConfigError(
        leaf::str("--explain: a GPU works on while its operators return, so their "
                  "times say nothing; use --device cpu"));
  }
  BenchSession session(o.model, {.device = runtime.device, .precision = runtime.precision},
                       o.inputs, o.batch);
  if (o.serve) {
    serve(session);
  } else {
    measure(session, o, runtime);
  }
  if (!o.output.empty()) {
    io::write_safetensors(o.output, {{"probability", session.probability()}});
  }
  return kExitSuccess;
}

}  // namespace
}  // namespace leaf::apps

int main(int argc, char** argv) {
  CLI::App app{
      "Times a model's inference on this machine, from the image to the probability; or, as "
      "leaf_bench train, training.",
      "leaf_bench"};
  leaf::apps::BenchOptions options;
  leaf::apps::TrainingBenchOptions training;
  leaf::apps::add_bench_options(app, options);
  const CLI::App* command = leaf::apps::add_training_bench(app, training);
  return leaf::apps::run_app(app, argc, argv, [&] {
    if (command->parsed()) {
      leaf::apps::require_none_before(app, *command);
      training.precision_given = command->count("--precision") > 0;
      return leaf::apps::bench_training(training);
    }
    return leaf::apps::run(options);
  });
}
