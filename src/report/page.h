#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace leaf::report {

using Json = nlohmann::ordered_json;

/// Fills a template (Mustache) with a view; every {{name}} is escaped, {{{name}}} is markup of our
/// own. The page's style and script are {{{css}}} and {{{js}}}.
std::string fill_page(const std::string& name, Json view);

}  // namespace leaf::report
