#include "leaf_eval/options.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>
#include <string>

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
  add("--split", o.split, "Part of the data set: test, validation or train")->default_str("test");
  add("--seed", o.seed, "Seed of the starting noise")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
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
  app.add_flag("--tune-threshold", o.tune_threshold,
               "Score the validation part and store the threshold of its highest mean Dice in the "
               "model folder [off]")
      ->group(group)
      ->needs(model);
  add("--overlays", o.overlays,
      "Write that many pictures, spread over the part, with the outlines of prediction (yellow) "
      "and truth (green); of several classes a colour for each, named below")
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
  const auto add = [&](const char* name, auto& value, const char* help) {
    return app.add_option(name, value, help)->group(group)->needs(predictions);
  };
  add("--truth-prefix", o.truth_prefix,
      "What names of true masks have before the predictions' ('mask_') [none]");
  add("--truth-suffix", o.truth_suffix,
      "What names of true masks have after the predictions' ('_segmentation') [none]");
  add("--threshold", o.threshold,
      "Grey values above this are foreground, in both (as data.mask_threshold)")
      ->check(CLI::Range(0, 254))
      ->capture_default_str();
  add("--ignore-value", o.ignore_value,
      "Pixels of this value in a true mask are not scored (as data.ignore_value) [none]")
      ->check(CLI::Range(0, 65535));
  add("--classes", o.classes,
      "What pixels of both stand for, as data.classes: background=0,disc=128,cup=255 "
      "[what --threshold divides]")
      ->delimiter(',');
  app.add_flag("--nested-classes", o.nested_classes,
               "Each class lies within the one before it, whose scores count it too (as "
               "data.class_coding: channels) [off]")
      ->group(group)
      ->needs(app.get_option("--classes"));
  add("--probabilities", o.probabilities,
      "Folder of probabilities as leaf_infer writes them (PNG of 8 or 16 bits); scores the group "
      "'probability' too");
}

/// CLI11's ranges let nan pass.
std::string finite(const std::string& text) {
  return std::isfinite(std::strtod(text.c_str(), nullptr)) ? "" : text + " is no finite number";
}

/// Earlier evaluations are compared as they were scored.
void add_scoring_options(CLI::App& app, ScoringArguments& s) {
  const std::string group = "Scores";
  auto* compare = app.get_option("--compare");
  const auto add = [&](const char* name, auto& value, const char* help) {
    return app.add_option(name, value, help)->group(group)->excludes(compare);
  };
  add("--metrics", s.metrics,
      "Groups of metrics: overlap, boundary, objects, probability, or all; overlap is always there")
      ->delimiter(',')
      ->default_str("overlap,boundary,objects");
  add("--spacing", s.spacing,
      "Sides of an image's own pixels in mm, ROW,COLUMN or one number [lengths are in pixels]");
  add("--tolerance", s.tolerance, "Of NSD and boundary IoU, in mm with --spacing, else in pixels")
      ->check(finite)
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add("--object-overlap", s.object_overlap,
      "Share of an object that the other mask must hold for it to be found; at least a pixel")
      ->check(finite)
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  add("--convention", s.convention,
      "How Dice and IoU treat empty masks: leaf, nnunet, monai, medsegdiff, sdseg, torchmetrics")
      ->capture_default_str();
  app.add_flag("--compare-conventions", s.compare_conventions,
               "Also the mean Dice and IoU under each of them [off]")
      ->group(group)
      ->excludes(compare);
}

void add_summary_options(CLI::App& app, ScoringArguments& s) {
  const std::string group = "Summaries";
  const auto add = [&](const char* name, auto& value, const char* help) {
    return app.add_option(name, value, help)->group(group);
  };
  add("--by-size", s.by_size,
      "Also by the size of the target: terciles, or upper ends of bins in pixels (1000,5000)")
      ->excludes(app.get_option("--compare"));
  add("--by", s.by, "FILE.csv:COLUMN ... Also by a column of a table with a row per image")
      ->excludes(app.get_option("--compare"));
  add("--groups", s.groups,
      "FILE.csv:COLUMN Images of one patient or video: the bootstrap draws whole groups");
  add("--bootstrap-seed", s.bootstrap_seed, "Seed of the confidence intervals")
      ->capture_default_str();
}

void add_comparison_options(CLI::App& app, EvalOptions& o) {
  const std::string group = "Comparing earlier evaluations";
  auto* compare = app.add_option("--compare", o.compare,
                                 "Two or more output folders of leaf_eval, or scores.csv files")
                      ->group(group)
                      ->excludes(app.get_option("--model"))
                      ->excludes(app.get_option("--predictions"));
  app.add_option("--columns", o.columns, "Columns to compare [dice,iou,hd95,assd,nsd]")
      ->group(group)
      ->delimiter(',')
      ->needs(compare);
}

void add_page_options(CLI::App& app, EvalOptions& o) {
  const std::string group = "Pages and pictures";
  app.add_flag("--report", o.report,
               "Write report.html too, one file to look at; with --compare comparison.html [off]")
      ->group(group);
  auto* figure =
      app.add_flag(
             "--figure", o.figure,
             "Write figure.png too: image, truth, prediction and errors of chosen cases [off]")
          ->group(group)
          ->excludes(app.get_option("--compare"));
  app.add_option(
         "--figure-with", o.figure_with,
         "In figure.png, in place of the errors, a column for each of these: model folders, "
         "run folders, folders of predicted masks [none]")
      ->group(group)
      ->needs(figure);
  app.add_option("--images", o.images,
                 "Folder of the images of mask files, to be shown in both; same names [none]")
      ->group(group)
      ->needs(app.get_option("--predictions"));
}

}  // namespace

void add_options(CLI::App& app, EvalOptions& o) {
  add_model_options(app, o);
  add_mask_options(app, o);
  add_comparison_options(app, o);
  add_scoring_options(app, o.scoring);
  add_summary_options(app, o.scoring);
  add_page_options(app, o);
  app.add_option("--output", o.output,
                 "Folder for scores.csv, summary.json and overlays/ [beside the scored folder: "
                 "MODEL-eval-SPLIT, PREDICTIONS-eval or FIRST-compared]");
  add_common_options(app, o.common);
}

}  // namespace leaf::apps
