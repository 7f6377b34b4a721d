#pragma once

#include <httplib.h>
#include <sys/types.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>

namespace leaf::apps {

/// A client's connection as httplib reads and writes it, within limits that httplib does not have:
/// one time for the head and one for the whole request to arrive, another for the answer to be
/// taken, and so many bytes before the body.
class Connection : public httplib::Stream {
 public:
  /// `max_bytes` is the largest body; `stopping` is asked while something is to arrive: true ends
  /// the wait.
  Connection(int socket, std::chrono::milliseconds timeout, std::size_t max_bytes,
             std::function<bool()> stopping);
  /// Closes the socket.
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool is_readable() const override;
  bool is_writable() const override;
  /// As recv(): 0 where the client has ended, -1 where nothing came in time. Throws RequestError
  /// within the head, of which httplib would say that it is no HTTP: 408 where it is not all there
  /// in time, 431 where it is too long; and 413 for a body whose chunks' lengths, of which httplib
  /// tells nobody, are too long.
  ssize_t read(char* to, std::size_t size) override;
  ssize_t write(const char* from, std::size_t size) override;
  using httplib::Stream::write;
  /// Nobody asks who the client is.
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  socket_t socket() const override { return socket_; }

  // What later versions of httplib ask, too.
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const {}
  bool wait_readable() const { return is_readable(); }
  bool wait_writable() const { return is_writable(); }
  time_t duration() const { return 0; }

  /// Takes what the client still sends, for a while, so that it reads the answer: closing a socket
  /// with unread bytes resets the connection.
  void drain();

  std::size_t received() const { return received_; }
  std::size_t sent() const { return sent_; }
  /// That of the answer; 0 while there is none.
  int status() const { return status_; }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kLongestHead = 16 * 1024;

  bool may_stop() const;
  bool wait(short events, Clock::time_point deadline, bool may_stop) const;
  bool fill();
  void check_received() const;
  void count_head(std::string_view bytes);
  void note_status(std::string_view bytes);

  int socket_;
  std::chrono::milliseconds timeout_;
  std::size_t max_bytes_;
  std::function<bool()> stopping_;
  Clock::time_point begin_time_;
  Clock::time_point read_deadline_;
  Clock::time_point write_deadline_{};
  std::array<char, 16 * 1024> buffer_;
  std::size_t begin_ = 0;  ///< of what is unread in the buffer
  std::size_t end_ = 0;
  std::size_t received_ = 0;
  std::size_t sent_ = 0;
  std::size_t head_bytes_ = 0;
  std::size_t line_bytes_ = 0;  ///< of the head's last line
  char last_byte_ = 0;          ///< of the head
  bool in_head_ = true;
  int status_ = 0;
};

}  // namespace leaf::apps
