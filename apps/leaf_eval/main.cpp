#include <CLI/CLI.hpp>

#include "common/run_app.h"
#include "leaf/core/error.h"
#include "leaf_eval/options.h"

namespace leaf::apps {
namespace {

void add_model_options(CLI::App& app, EvalOptions& o) {
  const std::string group = "Scoring a model on a data set";
  auto* model =
      app.add_option("--model", o.model, "Model folder, or run folder (its best, else its last)")
          ->group(group);
  auto* config = app.add_option("--config", o.config, "Configuration that names the data set")
                     ->group(group)
                     ->needs(model);
  model->needs(config);
  const auto add = [&](const char* name, auto& value, const char* help) {
    return app.add_option(name, value, help)->group(group)->needs(model);
  };
  add("--set", o.overrides, "KEY=VALUE ... in place of what the configuration says");
  add("--split", o.split, "Part of the data set: test, validation or train")->capture_default_str();
  add("--seed", o.seed, "Seed of the starting noise")->capture_default_str();
  add("--seeds", o.seeds,
      "Noise samples: also mean and deviation of the mean scores over them (the paper's Table 4)")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add("--noise", o.noise, "Starting noise: normal (a draw by seed and the image's name) or zeros")
      ->capture_default_str();
  add("--num-inference-steps", o.num_inference_steps,
      "Denoising steps [those that the model was validated with, else "
      "validation.num_inference_steps]")
      ->check(CLI::Range(1, 1000));
  add("--batch-size", o.batch_size, "Images that the network sees at once [validation.batch_size]")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--native,!--no-native", o.native, "Also score at the images' own sizes [on]")
      ->group(group)
      ->needs(model);
  add("--overlays", o.overlays,
      "Write that many pictures, spread over the part, with the outlines of prediction (yellow) "
      "and truth (green)")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
}

void add_mask_options(CLI::App& app, EvalOptions& o) {
  const std::string group = "Scoring mask files";
  auto* predictions =
      app.add_option("--predictions", o.predictions, "Folder of predicted masks")->group(group);
  auto* truth = app.add_option("--ground-truth", o.ground_truth,
                               "Folder of true masks, same names but for the extension")
                    ->group(group)
                    ->needs(predictions);
  predictions->needs(truth)->excludes(app.get_option("--model"));
  app.add_option("--truth-prefix", o.truth_prefix,
                 "What names of true masks have before the predictions' ('mask_') [none]")
      ->group(group)
      ->needs(predictions);
  app.add_option("--truth-suffix", o.truth_suffix,
                 "What names of true masks have after the predictions' ('_segmentation') [none]")
      ->group(group)
      ->needs(predictions);
  app.add_option("--threshold", o.threshold,
                 "Grey values above this are foreground, in both (as data.mask_threshold)")
      ->group(group)
      ->needs(predictions)
      ->check(CLI::Range(0, 254))
      ->capture_default_str();
  app.add_option("--ignore-value", o.ignore_value,
                 "Pixels of this value in a true mask are not scored (as data.ignore_value) [none]")
      ->group(group)
      ->needs(predictions)
      ->check(CLI::Range(0, 65535));
}

void add_options(CLI::App& app, EvalOptions& o) {
  add_model_options(app, o);
  add_mask_options(app, o);
  app.add_option("--output", o.output,
                 "Folder for scores.csv, summary.json and overlays/ [beside the scored folder: "
                 "MODEL-eval-SPLIT or PREDICTIONS-eval]");
  add_common_options(app, o.common);
}

int run(const EvalOptions& o) {
  if (!o.model.empty()) {
    return score_model(o);
  }
  if (!o.predictions.empty()) {
    return score_masks(o);
  }
  throw ConfigError("give --model and --config, or --predictions and --ground-truth");
}

}  // namespace
}  // namespace leaf::apps

int main(int argc, char** argv) {
  CLI::App app{"Scores a model on a part of a data set, or mask files against true masks.",
               "leaf_eval"};
  leaf::apps::EvalOptions options;
  leaf::apps::add_options(app, options);
  return leaf::apps::run_app(app, argc, argv, [&] { return leaf::apps::run(options); });
}
