// What leaf_serve reads of a request, and whom it answers.

#include <gtest/gtest.h>

#include "leaf_serve/access.h"
#include "leaf_serve/metrics.h"
#include "leaf_serve/request.h"

namespace leaf::apps {
namespace {

constexpr const char* kType = "multipart/form-data; boundary=limit";

std::string part(const std::string& disposition, const std::string& content) {
  return "--limit\r\nContent-Type: image/png\r\ncontent-disposition: form-data; " + disposition +
         "\r\n\r\n" + content + "\r\n";
}

int status_of(const std::string& body, const std::string& type) {
  try {
    find_upload(body, type);
  } catch (const RequestError& error) {
    return error.status();
  }
  return 200;
}

}  // namespace

TEST(ServeRequest, TheBodyIsTheImage) {
  const Upload upload = find_upload("bytes", "image/png");
  EXPECT_EQ(upload.bytes, "bytes");
  EXPECT_EQ(upload.file_name, "");
  EXPECT_EQ(find_upload("--limit", "application/octet-stream").bytes, "--limit");
}

TEST(ServeRequest, OrAPartOfAForm) {
  const std::string content = "a\r\n--limi\r\n\r\nb";
  const std::string body = "preamble\r\n--limit\r\n\r\nno headers\r\n" + part("name=other", "x") +
                           part(R"(name="image"; filename="a \"b\".png")", content) +
                           part("name=image", "later") + "--limit--\r\n";
  for (const char* type : {kType, "Multipart/Form-Data; charset=x; BOUNDARY=\"limit\""}) {
    const Upload upload = find_upload(body, type);
    EXPECT_EQ(upload.bytes, content);
    EXPECT_EQ(upload.file_name, "a \"b\".png");
  }
}

TEST(ServeRequest, IncompleteFormsAreRefused) {
  const std::string body = part("name=image", "bytes") + "--limit--";
  EXPECT_EQ(find_upload(body, kType).bytes, "bytes");
  for (std::size_t length = 0; length < body.size(); ++length) {
    const int status = status_of(body.substr(0, length), kType);
    const bool complete = length >= body.find("\r\n--limit--") + 9;
    EXPECT_EQ(status, complete ? 200 : 400) << length;
  }
  EXPECT_EQ(status_of("", "image/png"), 400);
  EXPECT_EQ(status_of(part("name=image", "") + "--limit--", kType), 400);
  EXPECT_EQ(status_of(part("name=picture", "x") + "--limit--", kType), 400);
  EXPECT_EQ(status_of(body, "multipart/form-data"), 400);
  EXPECT_EQ(status_of(body, "multipart/form-data; boundary=" + std::string(71, 'a')), 400);
  EXPECT_EQ(status_of("--limit\r\n" + std::string(1 << 20, 'a'), kType), 400);
}

TEST(ServeRequest, TypesOfImages) {
  for (const char* type : {"", "image/png", "IMAGE/TIFF; x=y", "application/octet-stream", kType}) {
    EXPECT_TRUE(is_image_type(type)) << type;
  }
  for (const char* type : {"text/plain", "application/json", "application/x-www-form-urlencoded"}) {
    EXPECT_FALSE(is_image_type(type)) << type;
  }
}

TEST(ServeRequest, TheQuery) {
  const SegmentQuery usual = parse_query({});
  EXPECT_EQ(usual.output, Output::kMask);
  EXPECT_FALSE(usual.threshold || usual.name);
  const SegmentQuery query = parse_query(
      {{"output", "coco"}, {"threshold", "0.25"}, {"name", "a b"}, {"orientation", "displayed"}});
  EXPECT_EQ(query.output, Output::kCoco);
  EXPECT_EQ(query.threshold, 0.25);
  EXPECT_EQ(query.name, "a b");
  EXPECT_EQ(query.orientation, data::MaskOrientation::kDisplayed);
  for (const char* threshold : {"", "-0.1", "1.1", "0.5x", "nan", "inf"}) {
    EXPECT_THROW(parse_query({{"threshold", threshold}}), RequestError) << threshold;
  }
}

TEST(ServeRequest, NamesLoseTheExtensionOfAnImage) {
  EXPECT_EQ(noise_name("0001.png"), "0001");
  EXPECT_EQ(noise_name("folder/0001.TIFF"), "0001");
  EXPECT_EQ(noise_name("a.b"), "a.b");
  EXPECT_EQ(noise_name(""), "");
}

TEST(ServeAccess, Loopback) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "192.168.1.1", "128.0.0.1", "localhost.example", ""}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
  EXPECT_TRUE(host_is_loopback("127.0.0.1:8080"));
  EXPECT_TRUE(host_is_loopback("[::1]:8080"));
  EXPECT_FALSE(host_is_loopback("[::1"));
  EXPECT_FALSE(host_is_loopback("127.0.0.1.example:8080"));
  EXPECT_FALSE(host_is_loopback(""));
}

TEST(ServeAccess, Origins) {
  EXPECT_TRUE(is_own_origin("", "a:1"));
  EXPECT_TRUE(is_own_origin("https://A:1", "a:1"));
  EXPECT_FALSE(is_own_origin("http://a:2", "a:1"));
  EXPECT_FALSE(is_own_origin("null", "a:1"));
}

TEST(ServeAccess, Tokens) {
  EXPECT_TRUE(has_token("Bearer secret", "secret"));
  for (const char* header : {"", "Bearer ", "Bearer secre", "Bearer secret ", "secret"}) {
    EXPECT_FALSE(has_token(header, "secret")) << header;
  }
}

TEST(ServeMetrics, SumsHaveEveryDigit) {
  Metrics metrics;
  metrics.count_batch(1'234'566);
  metrics.count_batch(1);
  EXPECT_NE(metrics.text(0).find("leaf_batch_images_sum 1234567\n"), std::string::npos)
      << metrics.text(0);
}

TEST(ServeMetrics, CountAsPrometheusDoes) {
  Metrics metrics;
  metrics.count({.method = "POST", .path = "/segment", .status = 200, .seconds = 0.02});
  metrics.count({.method = "POST", .path = "/segment", .status = 503, .seconds = 100});
  metrics.count({.method = "GET", .path = "/a\"\n", .status = 404});
  metrics.count_batch(1);
  metrics.count_batch(3);
  const std::string text = metrics.text(2);
  for (const char* line :
       {"leaf_requests_total{path=\"/segment\",status=\"200\"} 1\n",
        "leaf_requests_total{path=\"/segment\",status=\"503\"} 1\n",
        "leaf_requests_total{path=\"other\",status=\"404\"} 1\n",
        "leaf_segment_seconds_bucket{le=\"0.01\"} 0\n",
        "leaf_segment_seconds_bucket{le=\"0.025\"} 1\n",
        "leaf_segment_seconds_bucket{le=\"60\"} 1\n",
        "leaf_segment_seconds_bucket{le=\"+Inf\"} 2\n", "leaf_segment_seconds_count 2\n",
        "leaf_images_total 4\n", "leaf_batch_images_bucket{le=\"2\"} 1\n",
        "leaf_batch_images_sum 4\n", "# TYPE leaf_queue_images gauge\nleaf_queue_images 2\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
  }
}

}  // namespace leaf::apps
