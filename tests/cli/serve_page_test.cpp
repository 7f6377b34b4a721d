// The page of leaf_serve in a browser.

#include <gtest/gtest.h>

#include "infer_project.h"
#include "leaf/core/files.h"
#include "serve_project.h"
#include "support/browser.h"

namespace leaf {
namespace {

using nlohmann::json;
using test::Serving;

/// Runs behind the page's own script: gives it an image, moves its sliders, and tells what it saw.
constexpr const char* kProbe = R"js(<script>
(async () => {
  const seen = {};
  const until = async (test) => {
    for (let i = 0; i < 500 && !test(); ++i) await new Promise((done) => setTimeout(done, 20));
    return test();
  };
  const area = () => {
    const canvas = byId("mask");
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let count = 0;
    for (let i = 3; i < data.length; i += 4) count += data[i] > 0 ? 1 : 0;
    return count;
  };
  const slide = (id, value) => {
    byId(id).value = value;
    byId(id).dispatchEvent(new Event("input"));
  };
  const files = (file) => {
    const transfer = new DataTransfer();
    transfer.items.add(file);
    return transfer;
  };
  seen.model = await until(() => byId("model").textContent.startsWith("Model")) && byId("model").textContent;
  const image = await (await fetch("image.png")).blob();
  byId("file").files = files(new File([image], "0001.png", { type: "image/png" })).files;
  byId("file").dispatchEvent(new Event("change"));
  seen.shown = await until(() => !byId("result").hidden);
  seen.error = byId("error").textContent;
  seen.size = [byId("mask").width, byId("mask").height];
  const pixel = byId("image").getContext("2d").getImageData(0, 0, 1, 1).data;
  seen.opaque = pixel[3];
  seen.area = area();
  slide("threshold", 0); seen.all = area();
  slide("threshold", 1); seen.none = area();
  slide("opacity", 0.25); seen.opacity = byId("mask").style.opacity;
  seen.before = byId("alone").hidden;
  byId("compare").click(); seen.after = byId("alone").hidden;
  seen.overflow = document.documentElement.scrollWidth - innerWidth;
  seen.width = innerWidth;
  let saved = null;
  HTMLAnchorElement.prototype.click = function () { saved = this; };
  byId("download").click();
  await until(() => saved);
  seen.saved = saved.download;
  dispatchEvent(new DragEvent("drop", { dataTransfer: files(new File(["no"], "notes.png")), cancelable: true }));
  await until(() => !byId("error").hidden);
  seen.refused = byId("error").textContent;
  seen.hosts = [...new Set(performance.getEntriesByType("resource").map((entry) => new URL(entry.name).host))]
    .filter((host) => host !== "" && host !== location.host);
  parent.postMessage(JSON.stringify(seen), "*");
})();
</script></body>)js";

/// A server of the page with the probe, which passes what the page asks on to leaf_serve.
class Around {
 public:
  Around(const Serving& serving, std::string image, int width) {
    const auto page = serving.get("/");
    std::string content = page.body;
    content.replace(content.rfind("</body>"), 7, kProbe);
    const std::string policy = page.get_header_value("Content-Security-Policy");
    server_.Get("/", [width](const httplib::Request&, httplib::Response& response) {
      response.set_content(test::page_around("probe", width), "text/html");
    });
    server_.Get("/probe", [content, policy](const httplib::Request&, httplib::Response& response) {
      response.set_header("Content-Security-Policy", policy);
      response.set_content(content, "text/html; charset=utf-8");
    });
    server_.Get("/image.png",
                [image = std::move(image)](const httplib::Request&, httplib::Response& response) {
                  response.set_content(image, "image/png");
                });
    server_.Get("/model", [&serving](const httplib::Request&, httplib::Response& response) {
      response.set_content(serving.get("/model").body, "application/json");
    });
    server_.Post("/segment",
                 [&serving](const httplib::Request& request, httplib::Response& response) {
                   const auto answer = serving.segment(request.body, request.target.substr(8),
                                                       request.get_header_value("Content-Type"));
                   response.status = answer.status;
                   response.set_content(answer.body, answer.get_header_value("Content-Type"));
                 });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  ~Around() {
    server_.stop();
    thread_.join();
  }
  Around(const Around&) = delete;
  Around& operator=(const Around&) = delete;

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

class ServePage : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (test::browser().empty()) {
      GTEST_SKIP() << "no Chromium: apt-get install chromium";
    }
  }
};

TEST_P(ServePage, ShowsTheMaskOfAnImage) {
  const test::ServedModel project;
  const Serving serving(project);
  const std::string image = read_file(project / "data/images/0001.png");
  const json expected = json::parse(serving.segment(image, "?output=json&name=0001.png").body);
  const Around around(serving, image, GetParam());
  const json seen = test::seen_in_browser(around.address());
  ASSERT_TRUE(seen.is_object()) << "the browser says nothing";
  EXPECT_EQ(seen["error"], "");
  EXPECT_EQ(seen["shown"], true);
  EXPECT_NE(seen["model"].get<std::string>().find("classes background, foreground"),
            std::string::npos);
  EXPECT_EQ(seen["size"], json({64, 64}));
  EXPECT_EQ(seen["opaque"], 255);
  EXPECT_EQ(seen["area"], expected["area"]);
  EXPECT_GT(seen["all"], seen["area"]);
  EXPECT_EQ(seen["none"], 0);
  EXPECT_EQ(seen["opacity"], "0.25");
  EXPECT_EQ(seen["before"], true);
  EXPECT_EQ(seen["after"], false);
  EXPECT_LE(seen["overflow"].get<int>(), 0) << "wider than the window of " << seen["width"];
  EXPECT_EQ(seen["width"], GetParam());
  EXPECT_EQ(seen["saved"], "0001.png");
  EXPECT_NE(seen["refused"].get<std::string>().find("cannot read image 'notes.png'"),
            std::string::npos)
      << seen["refused"];
  EXPECT_EQ(seen["hosts"], json::array());
}

INSTANTIATE_TEST_SUITE_P(Widths, ServePage, ::testing::Values(1280, 390));

}  // namespace
}  // namespace leaf
