#pragma once

#include <httplib.h>

#include <cstddef>
#include <string>

namespace leaf::apps {

/// Whom the server answers, and what they may send.
struct GateOptions {
  /// The address that is listened to.
  std::string host = "127.0.0.1";
  std::string token;  ///< empty: none is asked for
  /// The largest body.
  std::size_t max_bytes = 32 << 20;
};

/// Looks at a request before its body is read (LimitedServer). Throws RequestError for one that is
/// not to be served:
///   400, 411  the body has no one length
///   401       without the token
///   403       for another host, or from a page of another site
///   404, 405  nothing is there, or not for that method
///   413       the body is too large
///   415       the body can be no image
void check_request(const httplib::Request& request, const GateOptions& options);

/// Reads a body of at most so many bytes. Throws RequestError: 413 for more, 408 for a body that is
/// not all there in time.
std::string read_body(const httplib::ContentReader& read, std::size_t most);

}  // namespace leaf::apps
