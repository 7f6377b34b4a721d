// The pages in a browser: they sort, filter and open cases, fit a phone, and ask nobody for
// anything.

#include "support/browser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "leaf/core/files.h"
#include "report_fixture.h"
#include "support/temporary_folder.h"

namespace leaf::report {
namespace {

using nlohmann::json;

/// Runs in the page behind its own script and tells the page around it what it saw.
constexpr const char* kProbe = R"js(<script>
const seen = {};
const shown = () => [...document.querySelectorAll("#table tbody tr")].filter((row) => !row.hidden);
const column = (title) => [...document.querySelectorAll("#table thead th")].findIndex(
    (cell) => cell.textContent.trim().startsWith(title));
const values = (at) => shown().map((row) => row.cells[at].textContent.trim());
const press = (at) => document.querySelectorAll("#table thead button")[at].click();
const type = (id, text) => {
  document.getElementById(id).value = text;
  document.getElementById(id).dispatchEvent(new Event("input"));
};
const score = column("Dice") < 0 ? 1 : column("Dice");
press(score); seen.rising = values(score);
press(score); seen.falling = values(score);
const distance = column("HD95");
if (distance > 0) { press(distance); seen.distances = values(distance); }
type("filter-name", "IMAGE-1"); seen.named = values(0); type("filter-name", "");
if (document.getElementById("filter-state")) {
  type("filter-state", "one empty"); seen.empty = shown().length; type("filter-state", "");
}
seen.all = shown().length;
seen.count = document.getElementById("count").textContent;
seen.overflow = document.documentElement.scrollWidth - innerWidth;
seen.width = innerWidth;
seen.requests = performance.getEntriesByType("resource").filter((r) => !r.name.startsWith("data:")).length;
const first = document.querySelector(".case");
seen.before = first.open;
location.hash = first.id;
setTimeout(() => {
  seen.after = first.open;
  const picture = first.querySelector("img");
  seen.picture = picture ? picture.naturalWidth : 0;
  parent.postMessage(JSON.stringify(seen), "*");
}, 500);
</script></body>)js";

/// What the probe sees of a page in a window of this width; null where it says nothing.
json probe(const std::filesystem::path& page, int width) {
  std::string content = read_file(page);
  content.replace(content.rfind("</body>"), 7, kProbe);
  const test::TemporaryFolder folder;
  write_file(folder / "probe.html", content);
  write_file(folder / "around.html", test::page_around("probe.html", width));
  return test::seen_in_browser("file://" + (folder / "around.html").string());
}

std::vector<double> numbers(const json& texts) {
  std::vector<double> values;
  for (const std::string text : texts) {
    if (!text.empty()) {
      values.push_back(std::stod(text));
    }
  }
  return values;
}

class Browser : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (test::browser().empty()) {
      GTEST_SKIP() << "no Chromium: apt-get install chromium";
    }
  }
};

TEST_P(Browser, TheReportSortsFiltersAndOpens) {
  const test::TemporaryFolder folder;
  const test::ReportFixture fixture(12);
  write_report(folder / "report.html", fixture.page);
  const json seen = probe(folder / "report.html", GetParam());
  ASSERT_TRUE(seen.is_object()) << "the browser says nothing";
  EXPECT_EQ(seen["width"], GetParam());
  const std::vector<double> rising = numbers(seen["rising"]);
  EXPECT_TRUE(std::is_sorted(rising.begin(), rising.end())) << seen["rising"];
  EXPECT_LT(rising.front(), rising.back());
  const std::vector<double> falling = numbers(seen["falling"]);
  EXPECT_TRUE(std::is_sorted(falling.rbegin(), falling.rend())) << seen["falling"];
  const std::vector<double> distances = numbers(seen["distances"]);
  EXPECT_TRUE(std::is_sorted(distances.begin(), distances.end()));
  EXPECT_EQ(seen["distances"].back(), "");  // what is undefined comes last
  EXPECT_EQ(seen["named"].size(), 3U);      // image-1, image-10, image-11
  EXPECT_EQ(seen["empty"], 5);
  EXPECT_EQ(seen["all"], 12);
  EXPECT_EQ(seen["count"], "12 of 12 images");
  EXPECT_EQ(seen["before"], false);
  EXPECT_EQ(seen["after"], true);
  EXPECT_GT(seen["picture"].get<int>(), 0);
  EXPECT_LE(seen["overflow"].get<int>(), 0) << "wider than the window of " << seen["width"];
  EXPECT_EQ(seen["requests"], 0);
}

INSTANTIATE_TEST_SUITE_P(Widths, Browser, ::testing::Values(1280, 390));

}  // namespace
}  // namespace leaf::report
