#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

namespace leaf::test {

/// As much of JSON Schema as docs/schemas use: $ref into $defs, type (one or several), enum,
/// required, properties, additionalProperties (a schema, or false), items, minItems, maxItems,
/// pattern, minimum, maximum, anyOf. A word that it does not know is a fault, too.
class JsonSchema {
 public:
  using Json = nlohmann::ordered_json;  ///< the order of properties is that of columns
  using Faults = std::vector<std::string>;

  explicit JsonSchema(Json schema) : root_(std::move(schema)) {}

  /// What a value has against the schema, one entry a fault, with its place.
  Faults faults(const Json& value) const {
    Faults found;
    check(root_, value, "$", found);
    return found;
  }

  const Json& root() const { return root_; }

 private:
  static bool is_of(const Json& type, const Json& value) {
    return type == "integer" ? value.is_number_integer() : type == value.type_name();
  }

  static bool has_type(const Json& types, const Json& value) {
    return types.is_string() ? is_of(types, value)
                             : std::any_of(types.begin(), types.end(),
                                           [&](const Json& type) { return is_of(type, value); });
  }

  void check(const Json& schema, const Json& value, const std::string& at, Faults& faults) const {
    for (const auto& [word, rule] : schema.items()) {
      if (!check_value(word, rule, value, at, faults) &&
          !check_parts(word, schema, value, at, faults) && word != "$schema" && word != "$id" &&
          word != "$defs" && word != "title" && word != "description") {
        faults.push_back(at + ": the test does not know the word " + word);
      }
    }
  }

  /// The words about the value itself; false for another word.
  static bool check_value(const std::string& word, const Json& rule, const Json& value,
                          const std::string& at, Faults& faults) {
    const auto refuse_if = [&](bool wrong, const std::string& text) {
      if (wrong) {
        faults.push_back(at + ": " + text);
      }
      return true;
    };
    if (word == "type") {
      return refuse_if(!has_type(rule, value), value.dump() + " is not of type " + rule.dump());
    }
    if (word == "enum") {
      return refuse_if(std::find(rule.begin(), rule.end(), value) == rule.end(),
                       value.dump() + " is not in the enum");
    }
    if (word == "pattern") {
      return refuse_if(value.is_string() && !std::regex_search(value.get<std::string>(),
                                                               std::regex(rule.get<std::string>())),
                       value.dump() + " does not match");
    }
    if (word == "minimum" || word == "maximum") {
      return refuse_if(value.is_number() && (word == "minimum" ? value < rule : value > rule),
                       value.dump() + " is out of range");
    }
    if (word == "minItems" || word == "maxItems") {
      return refuse_if(
          value.is_array() && (word == "minItems" ? value.size() < rule : value.size() > rule),
          std::to_string(value.size()) + " items are too few or too many");
    }
    return false;
  }

  /// The words about its members, and those that name other schemas; false for another word.
  bool check_parts(const std::string& word, const Json& schema, const Json& value,
                   const std::string& at, Faults& faults) const {
    const Json& rule = schema.at(word);
    if (word == "$ref") {
      check(root_.at("$defs").at(rule.get<std::string>().substr(8)), value, at,
            faults);  // "#/$defs/"
    } else if (word == "anyOf") {
      if (std::none_of(rule.begin(), rule.end(), [&](const Json& each) {
            Faults none;
            check(each, value, at, none);
            return none.empty();
          })) {
        faults.push_back(at + ": fits none of anyOf: " + value.dump());
      }
    } else if (word == "required") {
      for (const std::string key : rule) {
        if (value.is_object() && !value.contains(key)) {
          faults.push_back(at + ": lacks " + key);
        }
      }
    } else if (word == "items") {
      for (std::size_t i = 0; value.is_array() && i < value.size(); ++i) {
        check(rule, value[i], at + "[" + std::to_string(i) + "]", faults);
      }
    } else if (word == "properties" || word == "additionalProperties") {
      if (value.is_object() && (word == "properties" || !schema.contains("properties"))) {
        check_members(schema, value, at, faults);
      }
    } else {
      return false;
    }
    return true;
  }

  void check_members(const Json& schema, const Json& value, const std::string& at,
                     Faults& faults) const {
    const Json properties = schema.value("properties", Json::object());
    const Json others = schema.value("additionalProperties", Json::object());
    for (const auto& [key, member] : value.items()) {
      if (properties.contains(key)) {
        check(properties.at(key), member, at + "." + key, faults);
      } else if (others.is_object()) {
        check(others, member, at + "." + key, faults);
      } else if (others == false) {
        faults.push_back(at + ": unknown " + key);
      }
    }
  }

  Json root_;
};

}  // namespace leaf::test
