#pragma once

#include <string>
#include <vector>

namespace leaf::report {

/// A name inside a Markdown table.
std::string markdown(const std::string& name);

/// A line of a Markdown table.
std::string markdown_row(const std::vector<std::string>& fields);

/// The line under its head, for so many columns.
std::string markdown_rule(std::size_t columns);

}  // namespace leaf::report
