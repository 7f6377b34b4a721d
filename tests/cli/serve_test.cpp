// leaf_serve: what it answers.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "infer_project.h"
#include "leaf/core/base64.h"
#include "leaf/core/device.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/pipeline/folders.h"
#include "serve_project.h"
#include "support/exif_bytes.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::error_of;
using test::expect_usage_error;
using test::infer;
using test::phantom;
using test::Serving;
using test::TinyProject;

/// A project whose in/ has images of several sizes, one of them turned, and masks/ what leaf_infer
/// makes of them.
struct Segmented : TinyProject {
  explicit Segmented(std::int64_t count = 3) {
    with_model();
    for (std::int64_t i = 1; i <= count; ++i) {
      data::write_png(folder / ("in/image-" + std::to_string(i) + ".png"),
                      phantom(i, 40 + i % 5, 56 + i % 7));
    }
    write_file(folder / "in/turned.jpg",
               test::with_exif(data::encode_jpeg(phantom(9, 48, 64)), 6, true));
    const auto outcome =
        infer(*this, {"in"}, "masks", {"--probabilities", "8", "--labels", "--contours", "coco"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  }

  std::string image(const std::string& name) const { return read_file(folder / "in" / name); }
  std::string result(const std::string& name) const { return read_file(folder / "masks" / name); }
};

/// A form of one part, as curl -F sends it.
std::string form(const std::string& field, const std::string& file_name, const std::string& bytes) {
  return "--limit\r\nContent-Disposition: form-data; name=\"" + field + "\"; filename=\"" +
         file_name + "\"\r\nContent-Type: image/png\r\n\r\n" + bytes + "\r\n--limit--\r\n";
}

constexpr const char* kForm = "multipart/form-data; boundary=limit";

}  // namespace

TEST(Serve, AnswersAreLeafInfersFiles) {
  const Segmented project;
  const Serving serving(project);
  const std::map<std::string, std::string> files{
      {"mask", ".png"}, {"probability", ".png"}, {"labels", ".png"}, {"coco", ".json"}};
  const std::map<std::string, std::string> folders{
      {"probability", "probabilities/"}, {"labels", "labels/"}, {"coco", "contours/"}};
  for (const std::string name : {"image-1.png", "image-2.png", "turned.jpg"}) {
    const std::string stem = fs::path(name).stem();
    for (const auto& [output, extension] : files) {
      const auto folder = folders.find(output);
      const std::string path = (folder == folders.end() ? "" : folder->second) + stem + extension;
      const auto response =
          serving.segment(project.image(name), "?output=" + output + "&name=" + name);
      ASSERT_EQ(response.status, 200) << response.body;
      EXPECT_TRUE(response.body == project.result(path)) << path;
      EXPECT_EQ(response.get_header_value("Content-Type"),
                extension == ".png" ? "image/png" : "application/json");
    }
  }
}

TEST(Serve, TheNameIsTheFormsOrTheQuerys) {
  const Segmented project;
  const Serving serving(project, {"--seed", "3"});
  ASSERT_EQ(infer(project, {"in"}, "seeded", {"--seed", "3"}).exit_code, 0);
  const std::string image = project.image("image-1.png");
  const std::string mask = read_file(project / "seeded/image-1.png");
  const std::string unnamed = serving.segment(image).body;
  EXPECT_FALSE(unnamed == mask);
  EXPECT_TRUE(serving.segment(image, "?name=image-1").body == mask);
  EXPECT_TRUE(serving.segment(image, "?name=Image-1.PNG").body == mask);
  EXPECT_TRUE(serving.segment(form("image", "image-1.png", image), "", kForm).body == mask);
  const auto other = serving.segment(form("image", "image-1.png", image), "?name=other", kForm);
  EXPECT_FALSE(other.body == mask);
  EXPECT_TRUE(other.body == serving.segment(image, "?name=other").body);
}

TEST(Serve, JsonHoldsEverything) {
  const Segmented project;
  const Serving serving(project);
  const std::string image = project.image("turned.jpg");
  const json stored = json::parse(serving.segment(image, "?output=json&name=turned.jpg").body);
  EXPECT_EQ(stored["height"], 48);
  EXPECT_EQ(stored["width"], 64);
  EXPECT_EQ(stored["threshold"], project.json("model/preprocessing.json")["threshold"]);
  EXPECT_EQ(stored["mask"], base64(project.result("turned.png")));
  EXPECT_EQ(stored["probability"], base64(project.result("probabilities/turned.png")));
  const at::Tensor mask = data::read_mask(project / "masks/turned.png");
  const auto area = mask.ne(0).sum().item<std::int64_t>();
  EXPECT_EQ(stored["area"], area);
  ASSERT_EQ(stored["classes"].size(), 1U);
  EXPECT_EQ(stored["classes"][0]["name"], "foreground");
  EXPECT_EQ(stored["classes"][0]["area"], area);
  const json displayed = json::parse(
      serving.segment(image, "?output=json&name=turned.jpg&orientation=displayed").body);
  EXPECT_EQ(displayed["height"], 64);
  EXPECT_EQ(displayed["width"], 48);
  EXPECT_EQ(displayed["area"], area);
}

TEST(Serve, TheThresholdMayBeAnother) {
  const Segmented project;
  const Serving serving(project);
  const std::string image = project.image("image-1.png");
  const auto area_at = [&](const std::string& threshold) {
    const auto response = serving.segment(image, "?output=json&threshold=" + threshold);
    return json::parse(response.body)["area"].get<std::int64_t>();
  };
  const double own = project.json("model/preprocessing.json")["threshold"];
  const json usual = json::parse(serving.segment(image, "?output=json").body);
  EXPECT_EQ(area_at(json(own).dump()), usual["area"]);
  EXPECT_EQ(area_at("1"), 0);
  EXPECT_GT(area_at("0"), usual["area"]);
  const std::string same =
      serving.segment(image, "?name=image-1&threshold=" + json(own).dump()).body;
  EXPECT_TRUE(same == project.result("image-1.png"));
}

TEST(Serve, ManyClientsGetTheirOwnMasks) {
  constexpr std::int64_t kImages = 12;
  const Segmented project(kImages);
  const Serving serving(project, {"--batch-size", "4"});
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> clients;
    for (std::int64_t i = 1; i <= kImages; ++i) {
      clients.emplace_back([&, name = "image-" + std::to_string(i)] {
        const std::string image = project.image(name + ".png");
        const std::string mask = project.result(name + ".png");
        for (int round = 0; round < 4; ++round) {
          wrong += serving.segment(image, "?name=" + name).body == mask ? 0 : 1;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  const std::string metrics =
      serving.metrics_with("leaf_requests_total{path=\"/segment\",status=\"200\"} 48");
  test::expect_parts(metrics, {"leaf_images_total 48\n", "leaf_batch_images_bucket{le=\"4\"}",
                               "leaf_segment_seconds_count 48\n", "leaf_queue_images 0\n",
                               "leaf_resident_memory_bytes "});
  EXPECT_EQ(metrics.find("leaf_batch_images_count 48\n"), std::string::npos) << "no batch of two";
}

TEST(Serve, SaysWhatItServes) {
  const test::ServedModel project;
  const Serving serving(project);
  EXPECT_EQ(json::parse(serving.get("/health").body), json({{"status", "ok"}}));
  const json model = json::parse(serving.get("/model").body);
  EXPECT_EQ(model["leaf"], version());
  EXPECT_EQ(model["model_sha256"], model_sha256(project / "model"));
  EXPECT_EQ(model["classes"], json({"background", "foreground"}));
  EXPECT_EQ(model["resolution"], 64);
  const auto page = serving.get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.get_header_value("Content-Type"), "text/html; charset=utf-8");
  EXPECT_FALSE(page.has_header("Access-Control-Allow-Origin"));
}

TEST(Serve, HelpAndWrongUsage) {
  test::expect_help("leaf_serve",
                    {"--model", "--host", "--port", "--token-file", "--batch-size", "--max-wait-ms",
                     "--queue", "--max-bytes", "--timeout", "--max-pixels", "--seed", "--noise"});
  const test::ServedModel project;
  write_file(project / "short.txt", "secret\n");
  const auto refused = [&](std::vector<std::string> words, const std::vector<std::string>& parts) {
    words.insert(words.end(), {"--model", project.path("model")});
    expect_usage_error(test::run_cpu("leaf_serve", words), "leaf_serve", parts);
  };
  refused({"--host", "0.0.0.0"}, {"--host 0.0.0.0", "--token-file", "LEAF_SERVE_TOKEN"});
  refused({"--token-file", project.path("short.txt")}, {"--token-file", "fewer than 16"});
  refused({"--token-file", project.path("none.txt")}, {"none.txt"});
  refused({"--batch-size", "many"}, {"--batch-size"});
  write_file(project / "token.txt", "0123456789abcdef\n");
  refused({"--host", "203.0.113.1", "--token-file", project.path("token.txt")},  // nobody's
          {"cannot listen on 203.0.113.1"});
  const Serving serving(project);
  refused({"--port", std::to_string(serving.port())}, {"cannot listen", "in use", "--port"});
}

}  // namespace leaf
