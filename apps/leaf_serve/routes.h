#pragma once

#include <string_view>

namespace leaf::apps {

inline constexpr const char* kPagePath = "/";
inline constexpr const char* kHealthPath = "/health";
inline constexpr const char* kModelPath = "/model";
inline constexpr const char* kMetricsPath = "/metrics";
inline constexpr const char* kSegmentPath = "/segment";

/// What is served under a path.
struct Route {
  const char* path;
  const char* method;  ///< HEAD goes with GET
  bool open;           ///< needs no token: a browser has none before the page asks for it
};

/// Nothing for a path that is not served.
const Route* find_route(std::string_view path);

}  // namespace leaf::apps
