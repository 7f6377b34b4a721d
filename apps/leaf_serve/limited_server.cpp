#include "leaf_serve/limited_server.h"

#include <sys/socket.h>

#include <exception>
#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/stopwatch.h"
#include "leaf/core/strings.h"
#include "leaf_serve/bounded_pool.h"
#include "leaf_serve/request.h"

namespace leaf::apps {
namespace {

constexpr int kFirstError = 400;

/// Two servers on one port would share its requests, as httplib's own options allow.
void reuse_address_alone(socket_t socket) {
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

/// See kBodyType; called when the head has been read.
void hide_body_type(httplib::Request& request) {
  const std::string type = request.get_header_value("Content-Type");
  request.headers.erase("Content-Type");
  request.headers.erase(kBodyType);
  request.headers.emplace(kBodyType, type);
  request.ranges.clear();
}

void write_bare_answer(Connection& connection, const char* status) {
  connection.write(str("HTTP/1.1 ", status, "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));
}

}  // namespace

LimitedServer::LimitedServer(const ServerLimits& limits, Hooks hooks)
    : limits_(limits), hooks_(std::move(hooks)) {
  // httplib takes the pool and deletes it.
  new_task_queue = [count = limits.connections] { return new BoundedPool(count); };
  set_tcp_nodelay(true);  // head and body are written apart
  set_socket_options(reuse_address_alone);
}

bool LimitedServer::process_and_close_socket(socket_t socket) {
  const Stopwatch watch;
  Connection connection(socket, limits_.timeout, limits_.max_bytes, hooks_.stopping);
  Exchange exchange;
  answer(connection, exchange);
  exchange.status = connection.status();
  exchange.received = connection.received();
  exchange.sent = connection.sent();
  exchange.seconds = watch.seconds();
  if (exchange.status != 0) {
    hooks_.on_exchange(exchange);
  }
  if (exchange.status >= kFirstError) {
    connection.drain();
  }
  return true;
}

void LimitedServer::answer(Connection& connection, Exchange& exchange) {
  try {
    read_and_route(connection, exchange);
  } catch (const RequestError& refused) {  // while its head was read
    write_bare_answer(connection, refused.status() == 431 ? "431 Request Header Fields Too Large"
                                                          : "408 Request Timeout");
  } catch (const std::exception& failure) {  // of httplib; handlers have their own
    log::error(str("a request failed: ", plain_message(failure)));
    if (connection.status() == 0) {
      write_bare_answer(connection, "500 Internal Server Error");
    }
  }
}

void LimitedServer::read_and_route(Connection& connection, Exchange& exchange) {
  const std::function<void(httplib::Request&)> set_up = [&](httplib::Request& request) {
    exchange.method = request.method;
    exchange.path = request.path;
    hide_body_type(request);
  };
  bool closed = false;
  const auto process = [&](auto& self) {
    if constexpr (requires { self.process_request(connection, true, closed, set_up); }) {
      self.process_request(connection, true, closed, set_up);
    } else {  // from httplib 0.18 on, with the addresses of both sides
      self.process_request(connection, "", 0, "", 0, true, closed, set_up);
    }
  };
  process(*this);
}

}  // namespace leaf::apps
