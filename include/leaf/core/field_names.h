#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace leaf {

/// What messages name, a field of this library ("DataConfig::root"), and what it is called where
/// people set it ("data.root", "--device").
struct FieldName {
  std::string field;
  std::string shown;
};

/// The message with every field as it is shown; of fields that begin alike the longer one counts.
std::string with_names(std::string_view message, const std::vector<FieldName>& names);

/// From now on log lines and plain_message() have these names. A program does this before it starts
/// threads that use leaf; without it messages name the library's own fields.
void set_field_names(std::vector<FieldName> names);

/// The message with the names of set_field_names().
std::string with_field_names(std::string_view message);

}  // namespace leaf
