#include "page.h"

#include <kainjow/mustache.hpp>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "templates.h"

namespace leaf::report {
namespace {

namespace mustache = kainjow::mustache;

/// Numbers are put as text: how many digits they have is the view's business.
mustache::data to_data(const Json& value) {
  if (value.is_object()) {
    mustache::data object(mustache::data::type::object);
    for (const auto& [key, member] : value.items()) {
      object.set(key, to_data(member));
    }
    return object;
  }
  if (value.is_array()) {
    mustache::data list(mustache::data::type::list);
    for (const Json& element : value) {
      list.push_back(to_data(element));
    }
    return list;
  }
  if (value.is_boolean()) {
    return value.get<bool>() ? mustache::data::type::bool_true : mustache::data::type::bool_false;
  }
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// A template inside another.
mustache::data part(const std::string& name) {
  return mustache::partial([text = std::string(embedded(name))] { return text; });
}

}  // namespace

std::string fill_template(const std::string& name, const Json& view) {
  mustache::mustache text(embedded(name));
  std::string filled = text.render(to_data(view));
  if (!text.is_valid()) {
    throw Error(str("the template '", name, "' is broken: ", text.error_message()));
  }
  return filled;
}

std::string fill_page(const std::string& name, Json view) {
  view["css"] = embedded("report.css");
  view["js"] = embedded("report.js");
  mustache::mustache page(embedded("page.html"));
  mustache::data data = to_data(view);
  data.set("content", part(name));
  data.set("chart", part("chart.html"));
  std::string filled = page.render(data);
  if (!page.is_valid()) {
    throw Error(str("the template '", name, "' is broken: ", page.error_message()));
  }
  return filled;
}

}  // namespace leaf::report
