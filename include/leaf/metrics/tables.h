#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace leaf::metrics {

/// The number that a cell of a table holds: "true" is 1, "false" 0; kUndefined for infinity and
/// where is_missing(); nothing for any other text.
std::optional<double> cell_number(const std::string& text);

/// Whether a cell says that there is no value: "", "nan", "na", "n/a", "null", "none", "-", in any
/// case.
bool is_missing(const std::string& text);

/// Which column of a table with a row per image names them: "name", "image" or "file", else the
/// first.
std::size_t column_of_names(const std::vector<std::string>& header);

}  // namespace leaf::metrics
