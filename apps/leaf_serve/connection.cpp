#include "leaf_serve/connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "leaf/core/strings.h"
#include "leaf_serve/request.h"

namespace leaf::apps {

using namespace std::chrono_literals;

namespace {

/// Connections that only wait are not to hold threads for long.
constexpr std::chrono::milliseconds kHeadTimeout = 5s;

}  // namespace

Connection::Connection(int socket, std::chrono::milliseconds timeout, std::size_t max_bytes,
                       std::function<bool()> stopping)
    : socket_(socket),
      timeout_(timeout),
      max_bytes_(max_bytes),
      stopping_(std::move(stopping)),
      begin_time_(Clock::now()),
      read_deadline_(begin_time_ + std::min<std::chrono::milliseconds>(timeout, kHeadTimeout)) {}

Connection::~Connection() { ::close(socket_); }

/// Waits until the socket is ready; where it `may_stop` not beyond the question for it.
bool Connection::wait(short events, Clock::time_point deadline, bool may_stop) const {
  constexpr std::chrono::milliseconds kSlice = 100ms;  // between two questions whether to stop
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left <= 0ms) {
      return false;
    }
    pollfd descriptor{.fd = socket_, .events = events, .revents = 0};
    const int ready = ::poll(&descriptor, 1, static_cast<int>(std::min(left, kSlice).count()));
    if (ready > 0) {
      return true;
    }
    const bool failed = ready < 0 && errno != EINTR;
    if (failed || (may_stop && stopping_())) {
      return false;
    }
  }
}

/// Neither who has sent nothing yet nor whose body is on its way is waited for when the server
/// stops.
bool Connection::may_stop() const { return received_ == 0 || !in_head_; }

bool Connection::is_readable() const {
  return begin_ < end_ || wait(POLLIN, read_deadline_, may_stop());
}

bool Connection::is_writable() const {
  return wait(POLLOUT, status_ == 0 ? read_deadline_ : write_deadline_, /*may_stop=*/false);
}

/// Fills the empty buffer; false where nothing comes any more.
bool Connection::fill() {
  const bool stops = !in_head_ && stopping_();
  if (stops || !wait(POLLIN, read_deadline_, may_stop())) {
    return false;
  }
  const ssize_t count = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
  begin_ = 0;
  end_ = static_cast<std::size_t>(std::max<ssize_t>(0, count));
  received_ += end_;
  return count >= 0;
}

ssize_t Connection::read(char* to, std::size_t size) {
  const bool open = begin_ < end_ || fill();
  if (begin_ == end_ && in_head_ && received_ > 0) {
    throw RequestError(408, "the head of the request ended, or paused too long");
  }
  if (!open) {
    return -1;
  }
  const std::size_t count = std::min(size, end_ - begin_);
  count_head({buffer_.data() + begin_, count});
  check_received();
  std::memcpy(to, buffer_.data() + begin_, count);
  begin_ += count;
  return static_cast<ssize_t>(count);
}

/// The lengths of chunks may add an eighth to a body, as those of 64 bytes do, and 16 KB to any.
void Connection::check_received() const {
  constexpr std::size_t kFraming = 16 * 1024;
  if (received_ > kLongestHead + max_bytes_ + max_bytes_ / 8 + kFraming) {
    throw RequestError(413, str("the body and the lengths of its chunks are far larger than ",
                                max_bytes_, " bytes (--max-bytes)"));
  }
}

/// Request line and headers end with an empty line, which is "\r\n" for httplib: it skips others
/// and reads on.
void Connection::count_head(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size() && in_head_; ++i) {
    ++head_bytes_;
    ++line_bytes_;
    if (bytes[i] == '\n') {
      in_head_ = line_bytes_ != 2 || last_byte_ != '\r';
      line_bytes_ = 0;
      if (!in_head_) {
        read_deadline_ = begin_time_ + timeout_;
      }
    }
    last_byte_ = bytes[i];
  }
  if (head_bytes_ > kLongestHead) {
    throw RequestError(431, str("the head of the request is longer than ", kLongestHead, " bytes"));
  }
}

ssize_t Connection::write(const char* from, std::size_t size) {
  note_status({from, size});
  if (!is_writable()) {  // so that something can be sent; the rest waits for another call
    return -1;
  }
  const ssize_t count = ::send(socket_, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  sent_ += static_cast<std::size_t>(std::max<ssize_t>(0, count));
  return count;
}

/// The first answer's status, but for "100 Continue"; the time for it to be taken begins.
void Connection::note_status(std::string_view bytes) {
  constexpr std::string_view kBegin = "HTTP/1.1 ";
  constexpr int kFirstFinal = 200;
  if (status_ != 0 || !bytes.starts_with(kBegin)) {
    return;
  }
  int status = 0;
  std::from_chars(bytes.data() + kBegin.size(), bytes.data() + bytes.size(), status);
  if (status >= kFirstFinal) {
    status_ = status;
    write_deadline_ = Clock::now() + timeout_;
  }
}

void Connection::drain() {
  const auto deadline = Clock::now() + std::min<std::chrono::milliseconds>(timeout_, 5s);
  ::shutdown(socket_, SHUT_WR);
  while (wait(POLLIN, deadline, /*may_stop=*/false) &&
         ::recv(socket_, buffer_.data(), buffer_.size(), 0) > 0) {
  }
}

}  // namespace leaf::apps
