#include <CLI/CLI.hpp>

#include "common/run_app.h"
#include "leaf/core/error.h"
#include "leaf_eval/options.h"

namespace leaf::apps {
namespace {

int run(const EvalOptions& o) {
  if (!o.model.empty()) {
    return score_model(o);
  }
  if (!o.predictions.empty()) {
    return score_masks(o);
  }
  if (!o.compare.empty()) {
    return compare_runs(o);
  }
  throw ConfigError("give --model and --config, or --predictions and --ground-truth, or --compare");
}

}  // namespace
}  // namespace leaf::apps

int main(int argc, char** argv) {
  CLI::App app{
      "Scores a model on a part of a data set, or mask files against true masks; compares such "
      "scores.",
      "leaf_eval"};
  leaf::apps::EvalOptions options;
  leaf::apps::add_options(app, options);
  return leaf::apps::run_app(app, argc, argv, [&] { return leaf::apps::run(options); });
}
