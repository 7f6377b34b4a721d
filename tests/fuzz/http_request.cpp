#include <algorithm>
#include <map>
#include <string>

#include "leaf_serve/request.h"
#include "targets.h"

/// A body's type, a line of a query's parameters (KEY=VALUE&...), and the body.
void leaf::fuzz::http_request(std::string_view bytes) {
  const auto take_line = [&] {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    return line;
  };
  const std::string_view type = take_line();
  std::multimap<std::string, std::string> parameters;
  for (std::string_view query = take_line(); !query.empty();) {
    const std::string_view pair = query.substr(0, query.find('&'));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    parameters.emplace(pair.substr(0, equals), pair.substr(std::min(equals + 1, pair.size())));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
  }
  try {
    apps::is_image_type(type);
    apps::noise_name(apps::find_upload(bytes, type).file_name);
  } catch (const apps::RequestError&) {  // a body that is refused
  }
  try {
    apps::parse_query(parameters);
  } catch (const apps::RequestError&) {  // a query that is refused
  }
}
