#pragma once

#include <filesystem>

#include "leaf/pipeline/evaluation.h"

namespace leaf::apps {

/// Writes the files of an evaluation into `folder` and prints its tables on stdout; `title` says at
/// which size evaluation.scores are.
void report(const Evaluation& evaluation, const EvaluationFacts& facts, const std::string& title,
            const std::filesystem::path& folder);

/// `path`, without a trailing slash, with `suffix` put behind its name.
std::filesystem::path sibling(const std::filesystem::path& path, const std::string& suffix);

}  // namespace leaf::apps
