#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "leaf/pipeline/evaluation.h"
#include "leaf/report/report.h"
#include "leaf_eval/options.h"

namespace leaf::apps {

/// Summarises an evaluation, adds the hash of its images' names to the facts, writes its files into
/// `folder` and prints its tables on stdout; `title` says at which size evaluation.scores are. The
/// scores take the convention of `options`.
EvaluationSummary publish(Evaluation& evaluation, const EvaluationFacts& facts,
                          const metrics::BreakdownOptions& options, const std::string& title,
                          const std::filesystem::path& folder);

/// The files and folders of an evaluation that these options do not write.
std::vector<std::string> files_not_written(const EvalOptions& options);

/// Writes report.html and figure.png into `folder`, as far as they are asked for.
void write_pages(const EvalOptions& options, const report::Report& page,
                 const std::filesystem::path& folder);

/// `path`, without a trailing slash, with `suffix` put behind its name.
std::filesystem::path sibling(const std::filesystem::path& path, const std::string& suffix);

}  // namespace leaf::apps
