#pragma once

#include <filesystem>

namespace leaf::apps {

/// Says that results of an earlier call are about to be replaced where `folder` holds a summary.
void note_earlier_results(const std::filesystem::path& folder);

}  // namespace leaf::apps
