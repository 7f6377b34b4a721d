#pragma once

#include <httplib.h>

#include <chrono>
#include <cstddef>
#include <functional>

#include "leaf_serve/connection.h"
#include "leaf_serve/exchange.h"

namespace leaf::apps {

struct ServerLimits {
  /// For a request to arrive (of that 5 s at most for its head), and again for its answer to be
  /// taken.
  std::chrono::milliseconds timeout{30'000};
  /// The largest body.
  std::size_t max_bytes = 32 << 20;
  /// Connections that are served at a time, each by a thread; one more is accepted, the rest wait
  /// for that.
  std::size_t connections = 128;
};

/// The type of a body, which httplib is not to see: it would read multipart bodies by regular
/// expressions, whose recursion overflows the stack on long lines.
inline constexpr const char* kBodyType = "Leaf-Body-Type";

/// httplib's server with limits of our own (Connection). A connection serves one request. Handlers
/// find a body's type in the header kBodyType; ranges are not served.
class LimitedServer : public httplib::Server {
 public:
  struct Hooks {
    /// True once the server stops: connections without a request are closed.
    std::function<bool()> stopping = [] { return false; };
    /// Called after every answer, from several threads at once.
    std::function<void(const Exchange&)> on_exchange = [](const Exchange&) {};
  };

  LimitedServer(const ServerLimits& limits, Hooks hooks);

 private:
  bool process_and_close_socket(socket_t socket) override;
  void answer(Connection& connection, Exchange& exchange);
  void read_and_route(Connection& connection, Exchange& exchange);

  ServerLimits limits_;
  Hooks hooks_;
};

}  // namespace leaf::apps
