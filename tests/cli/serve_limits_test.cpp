// leaf_serve: what it refuses.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <random>

#include "infer_project.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "serve_project.h"

namespace leaf {
namespace {

using test::error_of;
using test::RawConnection;
using test::served_image;
using test::ServedModel;
using test::Serving;

/// The head of a POST /segment of so many bytes.
std::string post_head(std::size_t length) {
  return "POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
         "image/png\r\nContent-Length: " +
         std::to_string(length) + "\r\n\r\n";
}

/// "HTTP/1.1 413" of an answer.
std::string status_line(const std::string& answer) { return answer.substr(0, 12); }

}  // namespace

TEST(ServeLimits, RefusesWhatItDoesNotServe) {
  const ServedModel project;
  const Serving serving(project, {"--max-pixels", "10000"});
  const auto refused = [&](const httplib::Response& response, int status, const std::string& part) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_NE(error_of(response).find(part), std::string::npos) << response.body;
  };
  refused(serving.get("/nothing"), 404, "nothing here");
  const auto wrong_method = serving.get("/segment");
  refused(wrong_method, 405, "POST");
  EXPECT_EQ(wrong_method.get_header_value("Allow"), "POST");
  refused(serving.segment(served_image(), "?output=masks"), 400, "did you mean 'mask'");
  refused(serving.segment(served_image(), "?threshold=1.5"), 400, "0 to 1");
  refused(serving.segment(served_image(), "?threshold=nan"), 400, "0 to 1");
  refused(serving.segment(served_image(), "?treshold=1"), 400, "unknown parameter 'treshold'");
  refused(serving.segment(served_image(), "?name=a&name=b"), 400, "twice");
  refused(serving.segment(served_image(), "?orientation=auto"), 400, "stored, displayed");
  refused(serving.segment(served_image(), "", "text/plain"), 415, "text/plain");
  const auto packed = serving.client().Post("/segment", {{"Content-Encoding", "gzip"}},
                                            served_image(), "image/png");
  ASSERT_TRUE(packed);
  refused(*packed, 415, "send the image as it is");
  refused(serving.segment("", ""), 400, "no image");
  refused(serving.segment("--x--", "", "multipart/form-data; boundary=x"), 400, "no part 'image'");
  refused(serving.segment("no picture", "?name=notes.png"), 422, "cannot read image 'notes.png'");
  refused(serving.segment(served_image().substr(0, 300)), 422, "cannot read image 'image'");
  refused(serving.segment(data::encode_png(at::zeros({101, 100}, at::kByte))), 422,
          "--max-pixels of leaf_serve");
  EXPECT_TRUE(serving.is_healthy());
}

TEST(ServeLimits, AsksForTheToken) {
  const ServedModel project;
  const std::string token = "0123456789abcdef";
  write_file(project / "token.txt", token + "\n");
  const Serving serving(project, {"--token-file", project.path("token.txt"), "--host", "0.0.0.0"});
  const auto with = [](const std::string& value) {
    return httplib::Headers{{"Authorization", value}, {"Host", "leaf.example"}};
  };
  for (const char* value : {"", "Bearer", "Bearer 0123456789abcdeX", "Bearer 0123456789abcdef0",
                            "Basic 0123456789abcdef"}) {
    const auto response = serving.get("/model", with(value));
    EXPECT_EQ(response.status, 401) << value;
    EXPECT_EQ(response.get_header_value("WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(serving.get("/model", with("Bearer " + token)).status, 200);
  EXPECT_EQ(serving.get("/model", with("bearer " + token)).status, 200);
  EXPECT_EQ(serving.segment(served_image()).status, 401);
  EXPECT_EQ(serving.get("/metrics").status, 401);
  EXPECT_EQ(serving.get("/").status, 200);
  EXPECT_TRUE(serving.is_healthy());
}

TEST(ServeLimits, PagesOfOtherSitesMayNotAsk) {
  const ServedModel project;
  const Serving serving(project);
  const std::string own = "127.0.0.1:" + std::to_string(serving.port());
  const auto status = [&](const std::string& host, const std::string& origin) {
    httplib::Headers headers{{"Host", host}};
    if (!origin.empty()) {
      headers.emplace("Origin", origin);
    }
    return serving.get("/health", headers).status;
  };
  EXPECT_EQ(status("evil.example", ""), 403);
  EXPECT_EQ(status("127.0.0.1.evil.example", ""), 403);
  EXPECT_EQ(status(own, "http://evil.example"), 403);
  EXPECT_EQ(status(own, "null"), 403);
  EXPECT_EQ(status(own, "http://" + own), 200);
  EXPECT_EQ(status("[::1]:80", ""), 200);
  EXPECT_EQ(status("LOCALHOST", ""), 200);
}

TEST(ServeLimits, AFullQueueSaysWhenToComeAgain) {
  const ServedModel project;
  const Serving serving(project, {"--queue", "1", "--batch-size", "2", "--max-wait-ms", "1500"});
  int first = 0;
  std::jthread waiting([&] { first = serving.segment(served_image()).status; });
  serving.metrics_with("leaf_queue_images 1");
  const auto response = serving.segment(served_image());
  EXPECT_EQ(response.status, 503) << response.body;
  EXPECT_EQ(response.get_header_value("Retry-After"), "1");
  waiting.join();
  EXPECT_EQ(first, 200);
}

TEST(ServeLimits, WhatIsNotSegmentedInTimeIsGivenUp) {
  const ServedModel project;
  const Serving serving(project,
                        {"--timeout", "1.5", "--batch-size", "2", "--max-wait-ms", "10000"});
  const auto response = serving.segment(served_image());
  EXPECT_EQ(response.status, 504) << response.body;
  serving.metrics_with("leaf_queue_images 0");
}

TEST(ServeLimits, BodiesHaveALargestSize) {
  const ServedModel project;
  const Serving serving(project, {"--max-bytes", "100000"});
  const std::string piece(1 << 20, 'x');
  {
    const RawConnection gigabyte(serving.port());
    ASSERT_TRUE(gigabyte.send(post_head(1000 << 20)));
    for (int i = 0; i < 1000 && gigabyte.send(piece); ++i) {
    }
    EXPECT_EQ(status_line(gigabyte.answer()), "HTTP/1.1 413");
  }
  {
    const RawConnection endless(serving.port());
    ASSERT_TRUE(
        endless.send("POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 20 && endless.send("100000\r\n" + piece + "\r\n"); ++i) {
    }
    endless.end();
    EXPECT_EQ(status_line(endless.answer()), "HTTP/1.1 413");
  }
  for (const std::string& framing : {std::string(64, '0'), std::string("1\r\nx\r\n")}) {
    const RawConnection framed(serving.port());
    std::string chunks;
    while (chunks.size() < 200'000) {  // of at most 33334 bytes
      chunks += framing;
    }
    framed.send(
        "POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        "Transfer-Encoding: chunked\r\n\r\n" +
        chunks);
    framed.end();
    EXPECT_EQ(status_line(framed.answer()), "HTTP/1.1 413") << framing;
  }
  const std::string bytes = served_image();
  const RawConnection chunked(serving.port());
  std::ostringstream size;
  size << std::hex << bytes.size();
  ASSERT_TRUE(
      chunked.send("POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n" +
                   size.str() + "\r\n" + bytes + "\r\n0\r\n\r\n"));
  EXPECT_EQ(status_line(chunked.answer()), "HTTP/1.1 200");
  EXPECT_LT(serving.resident_bytes(), std::size_t{1} << 30);
}

TEST(ServeLimits, HalfRequestsHaveAnEnd) {
  const ServedModel project;
  const Serving serving(project, {"--timeout", "2"});
  const RawConnection silent(serving.port());
  const RawConnection half_head(serving.port());
  const RawConnection ended_head(serving.port());
  const RawConnection half_body(serving.port());
  const RawConnection ended(serving.port());
  const RawConnection gone(serving.port());
  half_head.send("POST /segment HTTP/1.1\r\nHost: loc");
  ended_head.send("GET /health HTTP/1.1\r\n");
  ended_head.end();
  half_body.send(post_head(served_image().size()) + served_image().substr(0, 100));
  ended.send(post_head(served_image().size()) + served_image().substr(0, 100));
  ended.end();
  gone.send(post_head(served_image().size()));
  EXPECT_EQ(status_line(ended.answer()), "HTTP/1.1 408");
  EXPECT_TRUE(serving.is_healthy());  // meanwhile
  EXPECT_EQ(status_line(half_body.answer()), "HTTP/1.1 408");
  EXPECT_EQ(status_line(half_head.answer()), "HTTP/1.1 408");
  EXPECT_EQ(status_line(ended_head.answer()), "HTTP/1.1 408");
  EXPECT_EQ(silent.answer(), "");
  EXPECT_EQ(serving.segment(served_image()).status, 200);
}

TEST(ServeLimits, WrongHeadsAreRefused) {
  const ServedModel project;
  const Serving serving(project);
  const auto status_of = [&](const std::string& request) {
    const RawConnection connection(serving.port());
    connection.send(request);
    return status_line(connection.answer());
  };
  const std::string host = "Host: localhost\r\n";
  EXPECT_EQ(status_of("nonsense\r\n\r\n"), "HTTP/1.1 400");
  EXPECT_EQ(status_of("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + host + "\r\n"),
            "HTTP/1.1 414");
  EXPECT_EQ(status_of("GET /health HTTP/1.1\r\nX: " + std::string(20000, 'a') + "\r\n\r\n"),
            "HTTP/1.1 431");
  EXPECT_EQ(status_of("GET /" + std::string(1 << 20, 'a')), "HTTP/1.1 431");
  for (const std::string line : {"\n", "x\n"}) {  // no line of HTTP: the head goes on
    std::string lines;
    while (lines.size() < 20'000) {
      lines += line;
    }
    EXPECT_EQ(status_of("GET /health HTTP/1.1\r\n" + host + lines + "\r\n"), "HTTP/1.1 431");
  }
  EXPECT_EQ(status_of("POST /segment HTTP/1.1\r\n" + host + "\r\n"), "HTTP/1.1 411");
  EXPECT_EQ(status_of("POST /segment HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n"),
            "HTTP/1.1 400");
  EXPECT_EQ(status_of("POST /segment HTTP/1.1\r\n" + host +
                      "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "HTTP/1.1 400");
  EXPECT_EQ(status_of("GET /health HTTP/1.1\r\n" + host + "Range: bytes=0-1\r\n\r\n"),
            "HTTP/1.1 200");
  EXPECT_EQ(status_of("POST /segment HTTP/1.1\r\n" + host +
                      "Expect: 100-continue\r\nContent-Length: 4000000000\r\n\r\n"),
            "HTTP/1.1 413");
  EXPECT_TRUE(serving.is_healthy());
}

/// Requests with bytes changed, left out or doubled: whatever they mean, they are answered or
/// closed, and the server goes on.
TEST(ServeLimits, BrokenRequestsBreakNothing) {
  const ServedModel project;
  const Serving serving(project, {"--quiet"});
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n" +
      served_image().substr(0, 200) + "\r\n--b--\r\n";
  const std::vector<std::string> seeds{
      post_head(served_image().size()) + served_image(),
      "POST /segment?name=%41&threshold=0.5&output=json HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: multipart/form-data; boundary=\"b\"\r\nContent-Length: " +
          std::to_string(form.size()) + "\r\n\r\n" + form,
      "GET /metrics HTTP/1.1\r\nHost: [::1]:80\r\nOrigin: http://x\r\nRange: bytes=0-,5-9\r\n\r\n"};
  std::mt19937 random(1);
  const auto pick = [&](std::size_t count) { return random() % count; };
  for (int i = 0; i < 300; ++i) {
    std::string request = seeds[static_cast<std::size_t>(i) % seeds.size()];
    for (int change = 0; change < 4; ++change) {
      const std::size_t at = pick(std::min<std::size_t>(request.size(), 400));
      switch (pick(3)) {
        case 0:
          request[at] = static_cast<char>(random());
          break;
        case 1:
          request.erase(at, 1 + pick(8));
          break;
        default:
          request.insert(at, request.substr(at, pick(64)));
      }
    }
    const RawConnection connection(serving.port());
    connection.send(request);
    connection.end();
    connection.answer();
  }
  EXPECT_TRUE(serving.is_healthy());
  EXPECT_EQ(serving.segment(served_image()).status, 200);
}

}  // namespace leaf
