#pragma once

#include <string>

#include "core/json.h"

namespace leaf::report {

/// Fills the template `name` (Mustache) with a view; every {{name}} is escaped.
std::string fill_template(const std::string& name, const Json& view);

/// Fills page.html, around the template `name` (Mustache), with a view; every {{name}} is escaped,
/// {{{name}}} is markup of our own. The view has the page's `title` and `nav`, a list of the `id`
/// and `title` of its sections; style and script are added.
std::string fill_page(const std::string& name, Json view);

}  // namespace leaf::report
