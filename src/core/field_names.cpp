#include "leaf/core/field_names.h"

#include <cctype>
#include <utility>

namespace leaf {
namespace {

/// Process-wide, as the log is.
std::vector<FieldName>& instance() {
  static std::vector<FieldName> names;
  return names;
}

bool continues_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

/// Whether `message` has the field at its place `at`, and not a name that begins or ends with it.
bool stands_at(const std::string& field, std::string_view message, std::size_t at) {
  const std::size_t end = at + field.size();
  return message.substr(at, field.size()) == field &&
         (at == 0 || !continues_name(message[at - 1])) &&
         (end == message.size() || !continues_name(message[end]));
}

/// The longest name at that place, nullptr without any.
const FieldName* name_at(const std::vector<FieldName>& names, std::string_view message,
                         std::size_t at) {
  const FieldName* found = nullptr;
  for (const FieldName& name : names) {
    const bool longer = found == nullptr || name.field.size() > found->field.size();
    found = longer && stands_at(name.field, message, at) ? &name : found;
  }
  return found;
}

}  // namespace

std::string with_names(std::string_view message, const std::vector<FieldName>& names) {
  std::string shown;
  for (std::size_t at = 0; at < message.size();) {
    const FieldName* name = name_at(names, message, at);
    shown += name != nullptr ? name->shown : std::string(1, message[at]);
    at += name != nullptr ? name->field.size() : 1;
  }
  return shown;
}

void set_field_names(std::vector<FieldName> names) { instance() = std::move(names); }

std::string with_field_names(std::string_view message) { return with_names(message, instance()); }

}  // namespace leaf
