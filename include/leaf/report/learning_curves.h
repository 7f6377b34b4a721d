#pragma once

#include <filesystem>

namespace leaf::report {

/// Draws a run's metrics.jsonl as curves.svg beside it: the losses of training and the scores of
/// validation over the steps. Nothing without numbers; atomic.
void write_learning_curves(const std::filesystem::path& run);

}  // namespace leaf::report
