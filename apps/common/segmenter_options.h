#pragma once

#include <cstdint>
#include <string>

#include "leaf/pipeline/segmenter.h"

namespace CLI {
class App;
}

namespace leaf::apps {

/// The options of programs that segment images with a model; what they are added for must outlive
/// the parsing. add_picture_options: --max-pixels.
void add_picture_options(CLI::App& app, SegmenterOptions& options);

/// --seed, --noise (a word for parse_enum) and --num-inference-steps.
void add_noise_options(CLI::App& app, SegmenterOptions& options, std::string& noise);

/// Throws ConfigError where several noise samples would all be zeros.
void require_noise_of_samples(StartingNoise noise, std::int64_t seeds);

/// --batch-size, a word for parse_batch_size().
void add_batch_size_option(CLI::App& app, std::string& batch_size);

/// A number from 1 to 1024, or kAutoBatch for "auto". Throws ConfigError for anything else.
std::int64_t parse_batch_size(const std::string& text);

}  // namespace leaf::apps
