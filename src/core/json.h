#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace leaf {

/// What programs write: keys stay in the order in which they were put in.
using Json = nlohmann::ordered_json;

/// One line, or lines indented by so many spaces. Bytes that are not UTF-8, such as those of a
/// file's name, become U+FFFD instead of an exception.
template <typename AnyJson>
std::string json_text(const AnyJson& value, int indent = -1) {
  return value.dump(indent, ' ', false, AnyJson::error_handler_t::replace);
}

}  // namespace leaf
