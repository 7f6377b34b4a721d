#include "leaf_serve/gate.h"

#include <charconv>

#include "leaf/core/strings.h"
#include "leaf_serve/access.h"
#include "leaf_serve/limited_server.h"
#include "leaf_serve/request.h"
#include "leaf_serve/routes.h"

namespace leaf::apps {
namespace {

std::size_t length_of(const std::string& text) {
  std::size_t length = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, length);
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    throw RequestError(400, str("Content-Length: '", printable(text), "' is no number of bytes"));
  }
  return length;
}

[[noreturn]] void refuse_size(std::size_t most) {
  throw RequestError(413, str("the body is larger than ", most, " bytes (--max-bytes)"));
}

void check_client(const httplib::Request& request, const GateOptions& options) {
  const std::string host = request.get_header_value("Host");
  if (is_loopback(options.host) && !host_is_loopback(host)) {
    throw RequestError(403, str("the Host header '", printable(host),
                                "' is not this machine's own name: ask 127.0.0.1 or localhost"));
  }
  if (!is_own_origin(request.get_header_value("Origin"), host)) {
    throw RequestError(403, "pages of other sites may not ask");
  }
}

void check_body(const httplib::Request& request, std::size_t most) {
  if (!is_image_type(request.get_header_value(kBodyType))) {
    throw RequestError(415, str("Content-Type '", printable(request.get_header_value(kBodyType)),
                                "': send image/*, application/octet-stream or "
                                "multipart/form-data"));
  }
  const std::string encoding = request.get_header_value("Content-Encoding");
  if (!encoding.empty() && encoding != "identity") {
    throw RequestError(415, "Content-Encoding: send the image as it is");
  }
  const bool has_length = request.has_header("Content-Length");
  const bool in_chunks = request.has_header("Transfer-Encoding");
  if (has_length == in_chunks || request.get_header_value_count("Content-Length") > 1) {
    throw RequestError(has_length ? 400 : 411, "send one Content-Length, or chunks");
  }
  if (in_chunks && to_lower(request.get_header_value("Transfer-Encoding")) != "chunked") {
    throw RequestError(400, "Transfer-Encoding: there is chunked alone");
  }
  if (has_length && length_of(request.get_header_value("Content-Length")) > most) {
    refuse_size(most);
  }
}

}  // namespace

void check_request(const httplib::Request& request, const GateOptions& options) {
  check_client(request, options);
  const Route* route = find_route(request.path);
  if (route == nullptr) {
    throw RequestError(404, "there is nothing here; see docs/serve.md");
  }
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  if (method != route->method) {
    throw RequestError(405, str(request.path, " answers ", route->method, " alone"));
  }
  if (!route->open && !options.token.empty() &&
      !has_token(request.get_header_value("Authorization"), options.token)) {
    throw RequestError(401, "send the server's token: Authorization: Bearer TOKEN");
  }
  if (request.path == kSegmentPath) {
    check_body(request, options.max_bytes);
  }
}

std::string read_body(const httplib::ContentReader& read, std::size_t most) {
  std::string body;
  bool too_large = false;
  const bool complete = read([&](const char* bytes, std::size_t size) {
    too_large = body.size() + size > most;
    body.append(bytes, too_large ? 0 : size);
    return !too_large;
  });
  if (too_large) {
    refuse_size(most);
  }
  if (!complete) {
    throw RequestError(408, str("the body ended, or paused too long, after ", body.size(),
                                " bytes: send all of it"));
  }
  return body;
}

}  // namespace leaf::apps
