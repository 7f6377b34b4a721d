#pragma once

#include <filesystem>

namespace leaf::apps {

/// Throws ConfigError when `to` is there and may not be replaced: `force` replaces model folders
/// and the other folders that `import` writes, never anything else that happens to be there.
/// Removes what killed programs left half-written beside it.
void check_target(const std::filesystem::path& to, bool force);

}  // namespace leaf::apps
