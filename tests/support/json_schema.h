#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace leaf::test {

/// As much of JSON Schema as docs/schemas use: $ref into $defs, anyOf, type, enum, minimum,
/// maximum, required, properties, additionalProperties: false, items.
class JsonSchema {
 public:
  using Json = nlohmann::ordered_json;

  explicit JsonSchema(Json schema) : root_(std::move(schema)) {}

  /// What does not fit, with its place; "" when all does.
  std::string fault(const Json& value) const { return fault(root_, value, "$"); }

  const Json& root() const { return root_; }

 private:
  static bool is_of(const std::string& type, const Json& value) {
    return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "null" && value.is_null()) ||
           (type == "integer" && value.is_number_integer()) ||
           (type == "number" && value.is_number());
  }

  static bool has_type(const Json& types, const Json& value) {
    if (types.is_string()) {
      return is_of(types, value);
    }
    return std::any_of(types.begin(), types.end(),
                       [&](const Json& type) { return is_of(type, value); });
  }

  std::string fault(const Json& schema, const Json& value, const std::string& place) const {
    if (schema.contains("$ref")) {
      const std::string name = schema.at("$ref").get<std::string>().substr(8);  // "#/$defs/"
      return fault(root_.at("$defs").at(name), value, place);
    }
    if (schema.contains("anyOf")) {
      const Json& options = schema.at("anyOf");
      const bool fits = std::any_of(options.begin(), options.end(), [&](const Json& option) {
        return fault(option, value, place).empty();
      });
      return fits ? "" : place + ": fits none of anyOf";
    }
    if (schema.contains("type") && !has_type(schema.at("type"), value)) {
      return place + ": " + value.dump() + " is not of type " + schema.at("type").dump();
    }
    if (schema.contains("enum") && std::find(schema.at("enum").begin(), schema.at("enum").end(),
                                             value) == schema.at("enum").end()) {
      return place + ": " + value.dump() + " is not in the enum";
    }
    return value.is_number()   ? number_fault(schema, value, place)
           : value.is_object() ? object_fault(schema, value, place)
           : value.is_array()  ? array_fault(schema, value, place)
                               : "";
  }

  static std::string number_fault(const Json& schema, const Json& value, const std::string& place) {
    const double number = value;
    const bool fits =
        number >= schema.value("minimum", number) && number <= schema.value("maximum", number);
    return fits ? "" : place + ": " + value.dump() + " is out of range";
  }

  std::string array_fault(const Json& schema, const Json& value, const std::string& place) const {
    for (std::size_t i = 0; i < value.size() && schema.contains("items"); ++i) {
      const std::string found =
          fault(schema.at("items"), value[i], place + "[" + std::to_string(i) + "]");
      if (!found.empty()) {
        return found;
      }
    }
    return "";
  }

  std::string object_fault(const Json& schema, const Json& value, const std::string& place) const {
    for (const std::string name : schema.value("required", Json::array())) {
      if (!value.contains(name)) {
        return place + ": lacks " + name;
      }
    }
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, member] : value.items()) {
      if (properties.contains(name)) {
        const std::string found = fault(properties.at(name), member, place + "." + name);
        if (!found.empty()) {
          return found;
        }
      } else if (!schema.value("additionalProperties", true)) {
        return place + ": has " + name + ", which the schema does not know";
      }
    }
    return "";
  }

  Json root_;
};

}  // namespace leaf::test
