#pragma once

#include <vector>

#include "leaf/core/field_names.h"

namespace leaf::config {

/// The keys that set the fields which the library's messages name ("DataConfig::root" is
/// "data.root"): the one table of them. Programs add their options.
const std::vector<FieldName>& key_names();

}  // namespace leaf::config
