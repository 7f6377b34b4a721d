#pragma once

#include <cstddef>
#include <string>

namespace leaf::apps {

/// A request and its answer, as logs and metrics have them.
struct Exchange {
  std::string method;  ///< empty where no request was understood
  std::string path;
  int status = 0;
  std::size_t received = 0;  ///< bytes
  std::size_t sent = 0;
  double seconds = 0;
};

}  // namespace leaf::apps
