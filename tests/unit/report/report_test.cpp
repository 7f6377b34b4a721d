#include "leaf/report/report.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "report/picture.h"
#include "report_fixture.h"
#include "support/temporary_folder.h"

namespace leaf::report {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

std::string page_of(const test::ReportFixture& fixture) {
  const test::TemporaryFolder folder;
  write_report(folder / "report.html", fixture.page);
  return read_file(folder / "report.html");
}

TEST(Report, IsOneFileThatAsksForNothing) {
  const std::string page = page_of(test::ReportFixture(9));
  EXPECT_EQ(count(page, "http://") + count(page, "https://") + count(page, "<link"), 0U);
  EXPECT_EQ(count(page, "src=\""), count(page, "src=\"data:image/jpeg;base64,"));
  EXPECT_EQ(count(page, "default-src 'none'"), 1U);
}

TEST(Report, NamesAreEscaped) {
  const std::string page = page_of(test::ReportFixture(9));
  EXPECT_EQ(count(page, "<script>alert"), 0U);
  EXPECT_GE(count(page, "&lt;script&gt;alert(1)&lt;/script&gt;&amp;"), 2U);  // table and case
  EXPECT_GE(count(page, "{{title}}"), 2U);  // as it is: a name is no template
  EXPECT_EQ(count(page, "<title>Phantoms &lt;of&gt; a test</title>"), 1U);
}

TEST(Report, HasEverythingWithoutItsScript) {
  const std::string page = page_of(test::ReportFixture(9));
  EXPECT_EQ(count(page, "<tr data-state="), 9U);
  EXPECT_EQ(count(page, "<details class=\"case\""), 9U);
  EXPECT_EQ(count(page, "<img "), 4 * 9U);
  EXPECT_EQ(count(page, "<svg "), 6 + 2U);  // distributions; threshold curve and reliability
  EXPECT_EQ(count(page, "runs/a &amp; b"), 1U);
  for (const char* text : {"nnU-Net v2", "size of target", "no target", "HD95", "Brier"}) {
    EXPECT_GE(count(page, text), 1U) << text;
  }
}

TEST(Report, SeveralClassesHaveATableAndAColourEach) {
  test::ReportFixture fixture(9);
  EXPECT_EQ(count(page_of(fixture), "rgb("), 0U);
  fixture.make_classes();
  const std::string page = page_of(fixture);
  for (const char* text : {"a test, means of the classes: 9 images", "a test, disc: 9 images",
                           "a test, cup: 9 images", "rgb(255,220,0)", "rgb(0,190,255)"}) {
    EXPECT_EQ(count(page, text), 1U) << text;
  }
}

TEST(Report, PicturesOfSeveralClassesHaveTheirColours) {
  at::Tensor truth = at::zeros({10, 10}, at::kByte);
  truth.narrow(0, 0, 5).fill_(1);
  at::Tensor prediction = at::ones({10, 10}, at::kByte);
  prediction.narrow(1, 5, 5).fill_(2);
  const Pictures pictures = make_pictures({std::nullopt, truth, prediction, 3}, 10);
  const auto pixel = [](const at::Tensor& picture, int row, int column) {
    const auto* at = picture[row][column].const_data_ptr<std::uint8_t>();
    return data::ClassColour{at[0], at[1], at[2]};
  };
  EXPECT_EQ(pixel(pictures.truth, 0, 0), data::class_colour(1));
  EXPECT_EQ(pixel(pictures.truth, 9, 0), data::class_colour(0));
  EXPECT_EQ(pixel(pictures.prediction, 0, 9), data::class_colour(2));
  const auto errors = pictures.errors;
  EXPECT_GT(errors[0][0][1].item<int>(), errors[0][0][0].item<int>()) << "both: green";
  EXPECT_GT(errors[0][9][0].item<int>(), errors[0][9][1].item<int>()) << "another class: red";
  EXPECT_GT(errors[9][0][0].item<int>(), errors[9][0][1].item<int>()) << "too much: red";
}

TEST(Report, ManyImagesStaySmall) {
  const std::string page = page_of(test::ReportFixture(2000));
  EXPECT_EQ(count(page, "<tr data-state="), 2000U);
  EXPECT_LT(page.size(), std::size_t{30} << 20);
}

TEST(Report, CasesAreTheWorstTheTypicalAndTheBest) {
  const test::ReportFixture fixture(60);
  const auto choices = choose_cases(fixture.evaluation.scores);
  ASSERT_EQ(choices.size(), 16 + 8 + 4U);
  std::set<std::size_t> different;
  double worst = 0;
  double best = 1;
  for (const Choice& choice : choices) {
    different.insert(choice.index);
    const double dice = fixture.evaluation.scores[choice.index].values.front();
    worst = choice.why == "worst" ? std::max(worst, dice) : worst;
    best = choice.why == "best" ? std::min(best, dice) : best;
  }
  EXPECT_EQ(different.size(), choices.size());
  EXPECT_EQ(worst, 0);
  EXPECT_GT(best, 0.8);
  const at::Tensor none = at::zeros({4, 4}, at::kByte);  // full scores of nothing to see
  const std::vector<metrics::ImageScore> empty(40, metrics::score_image("x", none, none));
  for (const Choice& choice : choose_cases(empty)) {
    EXPECT_NE(choice.why, "best");
  }
  EXPECT_EQ(choose_cases({fixture.evaluation.scores.front()}).size(), 1U);
  std::map<std::string, int> kinds;  // of few some of each
  for (const Choice& choice : choose_cases(test::ReportFixture(12).evaluation.scores)) {
    ++kinds[choice.why];
  }
  EXPECT_EQ(kinds, (std::map<std::string, int>{{"worst", 6}, {"best", 3}, {"typical", 2}}));
}

TEST(Figure, HasARowPerCase) {
  const test::TemporaryFolder folder;
  const test::ReportFixture fixture(60);
  write_figure(folder / "figure.png", fixture.page);
  const data::ImageSize size = data::size_of(data::read_image(folder / "figure.png").rgb);
  EXPECT_EQ(size, (data::ImageSize{24 + 8 * (18 + 196) + 4, 4 * 196 + 4}));
}

TEST(Figure, SmallPicturesAreEnlarged) {
  const test::TemporaryFolder folder;
  test::ReportFixture fixture(60);
  const at::Tensor white = at::ones({16, 16}, at::kByte);
  fixture.page.load_case = [&](std::size_t) { return Case{std::nullopt, white, white}; };
  write_figure(folder / "figure.png", fixture.page);
  const at::Tensor truth = data::read_image(folder / "figure.png")
                               .rgb.narrow(0, 4 + 24 + 18, 192)
                               .narrow(1, 4 + 196, 192);
  EXPECT_EQ(truth.min().item<int>(), 255);  // 16 pixels times 12
}

TEST(Figure, HasAColumnForEachOtherModel) {
  const test::TemporaryFolder folder;
  test::ReportFixture fixture(60);
  std::vector<std::size_t> asked;
  const auto column = [&](const std::vector<std::size_t>& places) {
    asked = places;
    return std::vector<at::Tensor>(places.size(), at::ones({96, 128}, at::kByte));
  };
  fixture.page.columns = {{"a", column}, {"b with a name that is too long for its column", column}};
  write_figure(folder / "figure.png", fixture.page);
  const at::Tensor figure = data::read_image(folder / "figure.png").rgb;
  EXPECT_EQ(data::size_of(figure), (data::ImageSize{24 + 8 * (18 + 196) + 4, 5 * 196 + 4}));
  EXPECT_EQ(asked.size(), 8U);
  for (int column_number = 0; column_number < 5; ++column_number) {
    const at::Tensor title = figure.narrow(0, 4, 24).narrow(1, 4 + 196 * column_number, 192);
    EXPECT_LT(title.min().item<int>(), 100) << "a title stands there: " << column_number;
    const at::Tensor of_case = figure.narrow(0, 4 + 24, 18).narrow(1, 4 + 196 * column_number, 192);
    EXPECT_EQ(of_case.min().item<int>() < 150, column_number == 0 || column_number == 2)
        << "name and Dice of the first case: " << column_number;
  }
}

TEST(ComparisonReport, ShowsTestsAndImages) {
  const test::TemporaryFolder folder;
  write_file(folder / "a.csv", "name,dice\n<b>x,0.5\ny,0.25\nz,1\n");
  write_file(folder / "b.csv", "name,dice\n<b>x,0.75\ny,0.5\nz,1\n");
  const std::vector<metrics::ScoreTable> runs{metrics::read_scores(folder / "a.csv"),
                                              metrics::read_scores(folder / "b.csv")};
  write_comparison_report(folder / "c.html", metrics::compare(runs, {}), runs);
  const std::string page = read_file(folder / "c.html");
  EXPECT_EQ(count(page, "<tr data-state="), 3U);
  EXPECT_EQ(count(page, "<b>"), 0U);
  EXPECT_EQ(count(page, "<svg "), 2U);
  EXPECT_EQ(count(page, "2 / 0 / 1"), 1U);
}

}  // namespace
}  // namespace leaf::report
