#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

namespace leaf::test {

/// What a JSON value has against a schema, one entry a fault. Knows the words of JSON Schema that
/// docs/schemas uses: type, enum, required, properties, additionalProperties (a schema, or false),
/// items, pattern, minimum, anyOf. A word that it does not know is a fault, too.
class JsonSchema {
 public:
  explicit JsonSchema(nlohmann::json schema) : schema_(std::move(schema)) {}

  std::vector<std::string> faults(const nlohmann::json& value) const {
    std::vector<std::string> found;
    check(schema_, value, "$", found);
    return found;
  }

 private:
  using Json = nlohmann::json;
  using Faults = std::vector<std::string>;

  static bool is_type(const Json& value, const std::string& type) {
    return type == "integer" ? value.is_number_integer() : type == value.type_name();
  }

  static void check(const Json& schema, const Json& value, const std::string& at, Faults& faults) {
    for (const auto& [word, rule] : schema.items()) {
      if (word == "type") {
        if (!is_type(value, rule)) faults.push_back(at + ": no " + rule.get<std::string>());
      } else if (word == "enum") {
        if (std::find(rule.begin(), rule.end(), value) == rule.end())
          faults.push_back(at + ": " + value.dump() + " is not in the list");
      } else if (word == "required") {
        for (const std::string key : rule)
          if (!value.contains(key)) faults.push_back(at + ": lacks " + key);
      } else if (word == "properties" || word == "additionalProperties") {
        if (word == "properties" || !schema.contains("properties"))
          check_members(schema, value, at, faults);
      } else if (word == "items") {
        for (std::size_t i = 0; value.is_array() && i < value.size(); ++i)
          check(rule, value[i], at + "[" + std::to_string(i) + "]", faults);
      } else if (word == "pattern") {
        if (value.is_string() &&
            !std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>())))
          faults.push_back(at + ": " + value.dump() + " does not match");
      } else if (word == "minimum") {
        if (value.is_number() && value < rule) faults.push_back(at + ": too small");
      } else if (word == "anyOf") {
        const bool fits = std::any_of(rule.begin(), rule.end(), [&](const Json& each) {
          Faults none;
          check(each, value, at, none);
          return none.empty();
        });
        if (!fits) faults.push_back(at + ": fits none of anyOf: " + value.dump());
      } else if (word != "$schema" && word != "$id" && word != "title" && word != "description") {
        faults.push_back(at + ": the test does not know the word " + word);
      }
    }
  }

  static void check_members(const Json& schema, const Json& value, const std::string& at,
                            Faults& faults) {
    const Json properties = schema.value("properties", Json::object());
    const Json others = schema.value("additionalProperties", Json::object());
    for (const auto& [key, member] : value.items()) {
      if (properties.contains(key)) {
        check(properties[key], member, at + "." + key, faults);
      } else if (others.is_object()) {
        check(others, member, at + "." + key, faults);
      } else if (others == false) {
        faults.push_back(at + ": unknown " + key);
      }
    }
  }

  nlohmann::json schema_;
};

}  // namespace leaf::test
