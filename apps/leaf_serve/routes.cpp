#include "leaf_serve/routes.h"

#include <algorithm>
#include <array>

namespace leaf::apps {

const Route* find_route(std::string_view path) {
  static constexpr std::array<Route, 5> kRoutes{{{kPagePath, "GET", true},
                                                 {kHealthPath, "GET", true},
                                                 {kModelPath, "GET", false},
                                                 {kMetricsPath, "GET", false},
                                                 {kSegmentPath, "POST", false}}};
  const auto* found = std::find_if(kRoutes.begin(), kRoutes.end(),
                                   [&](const Route& route) { return path == route.path; });
  return found == kRoutes.end() ? nullptr : found;
}

}  // namespace leaf::apps
