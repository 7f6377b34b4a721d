#pragma once

#include "leaf_bench/options.h"

namespace leaf::apps {

/// Times and scores the models of --compare on the same images; returns the exit code. Throws
/// ConfigError for models that see images or masks differently.
int compare_models(const BenchOptions& options, const Runtime& runtime);

}  // namespace leaf::apps
