#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>

namespace leaf::io {

/// Parses the JSON object `text` that belongs to the file `path` of a model. Throws WeightsError,
/// one line, when it is not JSON, is not an object, nests deeper than such a file can, or names a
/// key twice.
nlohmann::json parse_json_object(std::string_view text, const std::filesystem::path& path);

}  // namespace leaf::io
