#include "leaf_serve/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>

#include <cstddef>

#include "leaf/core/strings.h"

namespace leaf::apps {
namespace {

/// The host of "host:port" or "[::1]:port", brackets taken off.
std::string host_part(std::string_view header) {
  const std::size_t bracket = header.find(']');
  if (header.starts_with('[') && bracket != std::string_view::npos) {
    return std::string(header.substr(1, bracket - 1));
  }
  return std::string(header.substr(0, header.find(':')));
}

}  // namespace

bool is_loopback(const std::string& host) {
  in_addr four{};
  in6_addr six{};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) {
    return ntohl(four.s_addr) >> 24U == 127;
  }
  if (::inet_pton(AF_INET6, host.c_str(), &six) == 1) {
    return IN6_IS_ADDR_LOOPBACK(&six);
  }
  return to_lower(host) == "localhost";
}

bool host_is_loopback(std::string_view host_header) { return is_loopback(host_part(host_header)); }

bool is_own_origin(std::string_view origin, std::string_view host_header) {
  if (origin.empty()) {
    return true;
  }
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos &&
         to_lower(origin.substr(scheme + 3)) == to_lower(host_header);
}

bool has_token(std::string_view authorization, std::string_view token) {
  constexpr std::string_view kScheme = "bearer ";
  if (to_lower(authorization.substr(0, kScheme.size())) != kScheme) {
    return false;
  }
  const std::string_view given = authorization.substr(kScheme.size());
  return given.size() == token.size() &&
         CRYPTO_memcmp(given.data(), token.data(), token.size()) == 0;
}

}  // namespace leaf::apps
