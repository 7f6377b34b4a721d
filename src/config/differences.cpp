#include "config/differences.h"

#include "config/schema.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace {

std::string text_of(const Value& value) {
  const std::string text = join(value.items, ", ");
  return value.is_list ? str("[", text, "]") : text.empty() ? "nothing" : text;
}

}  // namespace

Differences differences(Config before, Config now) {
  Differences found;
  const std::vector<Field> old_fields = schema(before);
  const std::vector<Field> new_fields = schema(now);
  for (std::size_t i = 0; i < new_fields.size(); ++i) {
    const Value old_value = old_fields[i].get();
    const Value new_value = new_fields[i].get();
    if (old_value.items != new_value.items) {
      (new_fields[i].is_harmless ? found.harmless : found.others)
          .push_back(str(new_fields[i].key, ": ", text_of(old_value), " before, now ",
                         text_of(new_value)));
    }
  }
  return found;
}

}  // namespace leaf::config
