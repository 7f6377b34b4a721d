#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "infer_project.h"
#include "leaf/data/image_io.h"
#include "tiny_project.h"

namespace leaf::test {

struct ServedModel : TinyProject {
  ServedModel() { with_model(); }
};

/// A small image's file.
inline std::string served_image() { return data::encode_png(phantom(1, 40, 56)); }

/// leaf_serve with model/ of a project, on a port of its own; ended at the end of the scope.
class Serving {
 public:
  explicit Serving(const TinyProject& project, const std::vector<std::string>& more = {})
      : program_("leaf_serve", arguments(project, more)), port_(wait_for_port()) {}
  ~Serving() {
    if (!ended_) {
      program_.kill();
      program_.wait();
    }
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  int port() const { return port_; }
  std::size_t resident_bytes() const { return program_.resident_bytes(); }

  httplib::Client client() const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(60);
    return client;
  }

  /// The answer to an image; a failure where there is none.
  httplib::Response segment(const std::string& bytes, const std::string& query = "",
                            const std::string& type = "image/png") const {
    const auto result = client().Post("/segment" + query, bytes, type);
    EXPECT_TRUE(result) << httplib::to_string(result.error());
    return result ? *result : httplib::Response();
  }

  httplib::Response get(const std::string& path, const httplib::Headers& headers = {}) const {
    const auto result = client().Get(path, headers);
    EXPECT_TRUE(result) << httplib::to_string(result.error());
    return result ? *result : httplib::Response();
  }

  bool is_healthy() const { return get("/health").status == 200; }

  /// What GET /metrics says once it has that line; a request is counted after its answer.
  std::string metrics_with(const std::string& line) const {
    std::string text = get("/metrics").body;
    for (int i = 0; i < 2000 && text.find(line + "\n") == std::string::npos; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      text = get("/metrics").body;
    }
    EXPECT_NE(text.find(line + "\n"), std::string::npos) << line << " in\n" << text;
    return text;
  }

  pid_t pid() const { return program_.pid(); }
  void send_signal(int number) const { ::kill(pid(), number); }

  Outcome wait() {
    ended_ = true;
    return program_.wait();
  }

 private:
  static std::vector<std::string> arguments(const TinyProject& project,
                                            const std::vector<std::string>& more) {
    std::vector<std::string> words{"--model", project.path("model"), "--port", "0", "--device",
                                   "cpu",     "--threads",           "1"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// Waits, a minute at most, for the line "serving on http://127.0.0.1:PORT/".
  int wait_for_port() const {
    for (int i = 0; i < 6000 && program_.resident_bytes() > 0; ++i) {
      const std::string line = program_.output();
      if (line.ends_with('\n')) {
        return std::stoi(line.substr(line.rfind(':') + 1));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "leaf_serve does not serve";
    return 0;
  }

  Program program_;
  int port_;
  bool ended_ = false;
};

inline std::string error_of(const httplib::Response& response) {
  return nlohmann::json::parse(response.body, nullptr, false).value("error", "");
}

/// A connection that sends whatever it is told.
class RawConnection {
 public:
  explicit RawConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawConnection() { ::close(socket_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  /// False once the server takes no more.
  bool send(const std::string& bytes) const {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) {
        return false;
      }
      sent += static_cast<std::size_t>(count);
    }
    return connected_;
  }

  /// Nothing more comes.
  void end() const { ::shutdown(socket_, SHUT_WR); }

  /// All that the server sends until it closes the connection.
  std::string answer() const {
    std::string text;
    char buffer[4096];
    for (ssize_t count = 0; (count = ::recv(socket_, buffer, sizeof(buffer), 0)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
  }

 private:
  int socket_;
  bool connected_ = false;
};

}  // namespace leaf::test
