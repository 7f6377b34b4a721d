#include "common/segmenter_options.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/pipeline/folder_inference.h"

namespace leaf::apps {

void add_picture_options(CLI::App& app, SegmenterOptions& options) {
  app.add_option("--max-pixels", options.limits.max_pixels,
                 "Images of more pixels are refused before they are decoded")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void add_noise_options(CLI::App& app, SegmenterOptions& options, std::string& noise) {
  app.add_option("--seed", options.seed, "Seed of the starting noise")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--noise", noise,
                 "Starting noise: normal (a draw by seed and the image's name) or zeros")
      ->capture_default_str();
  app.add_option("--num-inference-steps", options.num_inference_steps,
                 "Denoising steps [those that the model was validated with]")
      ->check(CLI::Range(1, 1000));
}

void require_noise_of_samples(StartingNoise noise, std::int64_t seeds) {
  if (noise == StartingNoise::kZeros && seeds > 1) {
    throw ConfigError("--noise zeros has one sample, not --seeds; leave one of them out");
  }
}

void add_batch_size_option(CLI::App& app, std::string& batch_size) {
  app.add_option(
         "--batch-size", batch_size,
         "Images, slices, or tiles, that the network sees at once, or auto: what fits the memory")
      ->capture_default_str();
}

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

}  // namespace leaf::apps
