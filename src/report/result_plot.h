#pragma once

#include <string>

#include "leaf/report/result_table.h"

namespace leaf::report {

/// The table as an SVG picture: a panel per column, a line per row; ours a dot with its deviation,
/// the published number a ring.
std::string result_plot(const ResultTable& table);

}  // namespace leaf::report
