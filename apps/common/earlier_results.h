#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace leaf::apps {

/// Says that results of an earlier call are about to be replaced where `folder` holds their
/// `summary`, and which of the files and folders that this call does `not_written` are there and
/// stay.
void note_earlier_results(const std::filesystem::path& folder,
                          const std::vector<std::string>& not_written,
                          const char* summary = "summary.json");

}  // namespace leaf::apps
