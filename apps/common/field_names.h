#pragma once

#include <vector>

#include "leaf/config/load.h"
#include "leaf/core/field_names.h"

namespace leaf::apps {

/// What people type for the fields that the library's messages name: config::key_names() and the
/// options of the programs.
std::vector<FieldName> field_names();

/// The same, and beside data.root the environment variable that it was to come from.
std::vector<FieldName> field_names(const config::Resolved& resolved);

}  // namespace leaf::apps
