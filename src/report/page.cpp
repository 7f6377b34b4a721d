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

/// Throws Error if the template, that of `name`, is broken.
std::string render(mustache::mustache& text, const mustache::data& view, const std::string& name) {
  std::string filled = text.render(view);
  if (!text.is_valid()) {
    throw Error(str("the template '", name, "' is broken: ", text.error_message()));
  }
  return filled;
}

}  // namespace

std::string fill_template(const std::string& name, const Json& view) {
  mustache::mustache text(embedded(name));
  return render(text, to_data(view), name);
}

std::string fill_page(const std::string& name, Json view) {
  view["css"] = embedded("report.css");
  view["js"] = embedded("report.js");
  mustache::data data = to_data(view);
  data.set("content", part(name));
  data.set("chart", part("chart.html"));
  mustache::mustache page(embedded("page.html"));
  return render(page, data, name);
}

}  // namespace leaf::report
