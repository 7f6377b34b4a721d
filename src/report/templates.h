#pragma once

#include <string>

namespace leaf::report {

/// The content of a template ("report.html") that was built in; "" for a name that is none.
const char* embedded(const std::string& name);

}  // namespace leaf::report
