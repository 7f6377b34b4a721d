#pragma once

#include <string>

namespace leaf::apps {

/// The content of a file ("page.html") that was built in; "" for a name that is none.
const char* embedded(const std::string& name);

}  // namespace leaf::apps
