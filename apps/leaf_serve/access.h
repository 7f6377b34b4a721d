#pragma once

#include <string>
#include <string_view>

namespace leaf::apps {

/// Whether an address ("127.0.0.1", "::1", "localhost") is of this machine alone.
bool is_loopback(const std::string& host);

/// Whether a Host header names this machine itself. Where only loopback is served, another name is
/// that of a page elsewhere whose server now gives our address for it (DNS rebinding).
bool host_is_loopback(std::string_view host_header);

/// Whether a request's Origin header, if any, is the page that this server itself gives: browsers
/// send the header with what pages of other sites ask.
bool is_own_origin(std::string_view origin, std::string_view host_header);

/// Whether an Authorization header is "Bearer TOKEN". How long that takes says nothing of the
/// token but its length.
bool has_token(std::string_view authorization, std::string_view token);

}  // namespace leaf::apps
