#pragma once

#include <optional>
#include <string>

namespace leaf::metrics {

/// The number that a cell of a table holds: "true" is 1, "false" 0; kUndefined for "", "nan", "na",
/// "null", "none", in any case; nothing for any other text.
std::optional<double> cell_number(const std::string& text);

/// Whether a cell says that there is no value.
bool is_missing(const std::string& text);

}  // namespace leaf::metrics
