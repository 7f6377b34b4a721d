#include "leaf_bench/options.h"

#include <CLI/CLI.hpp>

namespace leaf::apps {

namespace {

/// What --compare excludes is about one model alone.
void add_compare_options(CLI::App& app, BenchOptions& o, const std::vector<CLI::Option*>& alone) {
  auto* compare = app.add_option("--compare", o.compare,
                                 "Model folders or runs: a table of what they cost and of their "
                                 "masks, the first's being what the others are compared with");
  for (CLI::Option* option : alone) {
    compare->excludes(option);
  }
  app.add_option("--config", o.config, "With --compare: the configuration whose data are scored")
      ->needs(compare);
  app.add_option("--set", o.overrides, "KEY=VALUE ... in place of what it says")->needs(compare);
  app.add_option("--split", o.split, "The part that is scored")
      ->check(CLI::IsMember({"train", "validation", "test"}))
      ->needs(compare)
      ->capture_default_str();
  app.add_option("--results", o.results,
                 "Folder for models.md, models.csv, models.svg and differences.png, the images in "
                 "which the models differ most")
      ->needs(compare)
      ->capture_default_str();
  app.add_flag(
         "--masks-only", o.masks_only,
         "differences.png has black in place of the images and numbers in place of their names, so "
         "that it can be passed on [off]")
      ->needs(compare);
}

}  // namespace

void add_bench_options(CLI::App& app, BenchOptions& o) {
  auto* model =
      app.add_option("--model", o.model, "Model folder, or run folder (its best, else its last)");
  auto* batch =
      app.add_option("--batch-size,--batch", o.batch, "Images that the network sees at once")
          ->check(CLI::Range(1, 1024))
          ->capture_default_str();
  auto* runs = app.add_option("--runs", o.runs,
                              "Timed calls, after a first one that is not; with --compare one "
                              "before each that is not")
                   ->check(CLI::Range(1, 100000))
                   ->capture_default_str();
  auto* explain =
      app.add_flag("--explain", o.explain,
                   "One more call, with a table of what its operators took; on the CPU [off]");
  auto* json = app.add_option("--json", o.json, "Also write the figures to this file");
  auto* inputs =
      app.add_option(
             "--inputs", o.inputs,
             "safetensors file with image [N,3,R,R], float32 in [0,1], and noise [N,L,r,r], "
             "float32 [random, always the same]")
          ->excludes(batch);
  auto* output = app.add_option(
      "--output", o.output, "Write the last call's probability [N,1,R,R] to this safetensors file");
  auto* serve =
      app.add_flag(
             "--serve", o.serve,
             "One timed call for every line on standard input; prints figures as lines of JSON "
             "[off]")
          ->excludes(runs, explain, json);
  add_compare_options(app, o, {model, batch, explain, json, inputs, output, serve});
  add_common_options(app, o.common);
}

}  // namespace leaf::apps
