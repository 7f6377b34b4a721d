// leaf_serve: how it ends.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "serve_project.h"

namespace leaf {
namespace {

using test::served_image;
using test::ServedModel;
using test::Serving;

/// Has accept() fail in another process; false where the system does not let us.
bool break_listening(pid_t process) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  bool broken = false;
  for (int number = 3; number < 64 && !broken; ++number) {
    const int copy = static_cast<int>(::syscall(SYS_pidfd_getfd, handle, number, 0));
    int listens = 0;
    socklen_t size = sizeof(listens);
    broken = copy >= 0 && ::getsockopt(copy, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
             listens == 1 && ::shutdown(copy, SHUT_RDWR) == 0;
    ::close(copy);
  }
  ::close(handle);
  return broken;
}

}  // namespace

TEST(ServeEnd, ASignalLetsWhatHasBegunBeFinished) {
  const ServedModel project;
  Serving serving(project, {"--batch-size", "2", "--max-wait-ms", "100"});
  const std::string expected = serving.segment(served_image()).body;
  std::atomic<int> done = 0;
  std::atomic<int> wrong = 0;
  std::vector<std::jthread> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        const auto result = serving.client().Post("/segment", served_image(), "image/png");
        if (!result) {  // nobody listens any more
          return;
        }
        const bool right = result->status == 503 || result->body == expected;
        wrong += right ? 0 : 1;
        ++done;
      }
    });
  }
  while (done < 12) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  serving.send_signal(SIGTERM);
  const auto outcome = serving.wait();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("stopping"), std::string::npos) << outcome.err;
  clients.clear();
  EXPECT_EQ(wrong, 0);
}

TEST(ServeEnd, WhileItStopsNothingNewIsTaken) {
  const ServedModel project;
  Serving serving(project, {"--batch-size", "2", "--max-wait-ms", "1500"});
  int waiting = 0;
  std::jthread client([&] { waiting = serving.segment(served_image()).status; });
  serving.metrics_with("leaf_queue_images 1");
  serving.send_signal(SIGINT);
  while (serving.is_healthy()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(serving.get("/health").status, 503);
  EXPECT_EQ(serving.segment(served_image()).status, 503);
  const auto outcome = serving.wait();
  client.join();
  EXPECT_EQ(waiting, 200);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
}

TEST(ServeEnd, AnImageThatIsStillArrivingIsNotWaitedFor) {
  const ServedModel project;
  Serving serving(project, {"--timeout", "60"});
  const test::RawConnection slow(serving.port());
  ASSERT_TRUE(
      slow.send("POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
                "Content-Length: 1000\r\n\r\nabc"));
  ASSERT_TRUE(serving.is_healthy());
  serving.send_signal(SIGTERM);
  std::jthread dripping([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && slow.send("d")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  const std::string answer = slow.answer();
  EXPECT_TRUE(answer.empty() || answer.find(" 503 ") != std::string::npos) << answer;
  EXPECT_EQ(serving.wait().exit_code, 0);
}

TEST(ServeEnd, ASecondSignalEndsAtOnce) {
  const ServedModel project;
  Serving serving(project, {"--batch-size", "2", "--max-wait-ms", "10000"});
  std::jthread client([&] { serving.client().Post("/segment", served_image(), "image/png"); });
  serving.metrics_with("leaf_queue_images 1");
  serving.send_signal(SIGTERM);
  while (serving.is_healthy()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  serving.send_signal(SIGTERM);
  EXPECT_EQ(serving.wait().exit_code, 130);
}

TEST(ServeEnd, WithoutConnectionsItFails) {
  const ServedModel project;
  Serving serving(project);
  ASSERT_TRUE(serving.is_healthy());
  if (!break_listening(serving.pid())) {
    GTEST_SKIP() << "another process's sockets cannot be reached here";
  }
  const auto outcome = serving.wait();
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_NE(outcome.err.find("no more connections"), std::string::npos) << outcome.err;
}

}  // namespace leaf
