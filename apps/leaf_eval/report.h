#pragma once

#include <filesystem>
#include <string>

#include "leaf/pipeline/evaluation.h"
#include "leaf/report/report.h"
#include "leaf_eval/options.h"

namespace leaf::apps {

/// Summarises an evaluation, writes its files into `folder` and prints its tables on stdout;
/// `title` says at which size evaluation.scores are. The scores take the convention of `options`.
EvaluationSummary publish(Evaluation& evaluation, const EvaluationFacts& facts,
                          const metrics::BreakdownOptions& options, const std::string& title,
                          const std::filesystem::path& folder);

/// Writes report.html and figure.png, as far as they are asked for.
void write_pages(const EvalOptions& options, const std::string& title, const Evaluation& evaluation,
                 const EvaluationSummary& summary, const report::LoadCase& load_case,
                 const std::filesystem::path& folder);

/// `path`, without a trailing slash, with `suffix` put behind its name.
std::filesystem::path sibling(const std::filesystem::path& path, const std::string& suffix);

}  // namespace leaf::apps
