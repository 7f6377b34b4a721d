#include "leaf_infer/options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::apps {
namespace {

std::int64_t parse_batch_size(const std::string& text) {
  if (text == "auto") {
    return kAutoBatch;
  }
  std::int64_t size = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, size);
  if (parsed.ec != std::errc() || parsed.ptr != end || size < 1 || size > 1024) {
    throw ConfigError(str("--batch-size '", text, "' is neither auto nor a number from 1 to 1024"));
  }
  return size;
}

}  // namespace

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
  app.add_option("--max-pixels", o.segmenter.limits.max_pixels,
                 "Images of more pixels are refused before they are decoded")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--batch-size", o.batch_size,
                 "Images that the network sees at once, or auto: what fits the memory")
      ->capture_default_str();
  app.add_option("--seeds", o.inference.mask.seeds,
                 "Noise samples: the mask is that of their mean, and uncertainty/NAME.png its "
                 "entropy (65535: one bit)")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--postprocess", o.postprocess,
                 "Changes of the masks, in this order: largest-component, fill-holes, "
                 "remove-small=PIXELS, between commas [none]");
  app.add_option("--probabilities", o.probabilities,
                 "Also write probabilities/NAME: 8 (PNG, 255 times the probability), 16 (PNG, "
                 "65535 times), npy (float32); 8 without a word [off]")
      ->expected(0, 1)
      ->default_str("8");
  app.add_flag("--contours", o.inference.contours,
               "Also write contours/NAME.json, COCO's polygons and run lengths [off]");
  app.add_flag("--overlays", o.inference.overlays,
               "Also write overlays/NAME.jpg, the mask's outline on the image [off]");
  app.add_flag("--skip-existing", o.inference.skip_existing,
               "Leave images alone whose mask is there, of this model and these settings [off]");
  app.add_flag("--recursive,!--no-recursive", o.recursive, "Search folders below --input [on]");
  add_common_options(app, o.common);
}

void parse_words(InferOptions& o) {
  o.inference.mask.size = parse_enum<OutputSize>(o.output_size, "--output-size");
  o.inference.mask.postprocess = data::parse_postprocess(o.postprocess, "--postprocess");
  o.inference.probabilities = data::find_map_writer(o.probabilities, "--probabilities");
  o.inference.batch_size = parse_batch_size(o.batch_size);
}

}  // namespace leaf::apps
