#include "leaf_infer/options.h"

#include <CLI/CLI.hpp>

namespace leaf::apps {

void add_infer_options(CLI::App& app, InferOptions& o) {
  app.add_option("--model", o.model, "Model folder, or run folder (its best, else its last)")
      ->required();
  app.add_option("--input", o.input, "Images and folders of images")->required();
  app.add_option("--output", o.inference.output, "Folder for masks (NAME.png) and summary.json")
      ->required();
  app.add_option("--output-size", o.output_size,
                 "Size of the masks: original (the image's) or model (as validation scores them)")
      ->capture_default_str();
  app.add_option("--seed", o.segmenter.seed, "Seed of the starting noise")->capture_default_str();
  app.add_option("--noise", o.noise,
                 "Starting noise: normal (a draw by seed and the image's name) or zeros")
      ->capture_default_str();
  app.add_option("--num-inference-steps", o.segmenter.num_inference_steps,
                 "Denoising steps [those that the model was validated with]")
      ->check(CLI::Range(1, 1000));
  app.add_option("--batch-size", o.inference.batch_size, "Images that the network sees at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_flag("--probabilities", o.inference.probabilities,
               "Also write probabilities/NAME.png, 255 times the probability [off]");
  app.add_flag("--overlays", o.inference.overlays,
               "Also write overlays/NAME.jpg, the mask's outline on the image [off]");
  app.add_flag("--skip-existing", o.inference.skip_existing,
               "Leave images alone whose mask is there [off]");
  app.add_flag("--recursive,!--no-recursive", o.recursive, "Search folders below --input [on]");
  add_common_options(app, o.common);
}

}  // namespace leaf::apps
