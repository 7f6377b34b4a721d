#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <sstream>

#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "leaf/io/safetensors.h"
#include "leaf/pipeline/segmenter.h"
#include "tiny_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_usage_error;
using test::TinyProject;

test::Outcome bench(const TinyProject& project, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"--model", project.path("model")};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return test::run_cpu("leaf_bench", arguments);
}

/// While it lives, programs that are started read `file` as their standard input.
class StandardInput {
 public:
  explicit StandardInput(const fs::path& file) : before_(::dup(STDIN_FILENO)) {
    const int opened = ::open(file.c_str(), O_RDONLY);
    ::dup2(opened, STDIN_FILENO);
    ::close(opened);
  }
  ~StandardInput() {
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
  }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

 private:
  int before_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// The number that follows `label`, or -1.
double figure(const std::string& text, const std::string& label) {
  std::smatch match;
  return std::regex_search(text, match, std::regex(label + " +([0-9.]+)")) ? std::stod(match[1])
                                                                           : -1;
}

/// The last row's first picture, which shows the image, is of one colour, and a number stands over
/// it in place of a longer name.
void expect_no_image_with_masks_only(const TinyProject& project) {
  const auto sheet = [&](const std::string& results, std::vector<std::string> more) {
    more.insert(more.end(),
                {"--compare", project.path("first"), project.path("model"), "--config",
                 project.path("config.yaml"), "--runs", "1", "--results", project.path(results)});
    EXPECT_EQ(test::run_cpu("leaf_bench", more).exit_code, 0);
    return data::read_image(project / results / "differences.png").rgb;
  };
  const at::Tensor with = sheet("with", {});
  const at::Tensor without = sheet("without", {"--masks-only"});
  const auto deviation = [](const at::Tensor& picture) {
    constexpr std::int64_t kSide = 100;
    return picture.narrow(0, picture.size(0) - kSide - 20, kSide)
        .narrow(1, 20, kSide)
        .to(at::kFloat)
        .std()
        .item<double>();
  };
  EXPECT_GT(deviation(with), 1);
  EXPECT_EQ(deviation(without), 0);
  const auto ink = [](const at::Tensor& picture) {
    constexpr std::int64_t kPicture = 196;  // with its gap
    constexpr std::int64_t kCaption = 18;
    return (255 - picture.narrow(0, picture.size(0) - kPicture - kCaption, kCaption)
                      .narrow(1, 0, kPicture))
        .sum()
        .item<std::int64_t>();
  };
  EXPECT_GT(ink(without), 0);
  EXPECT_LT(ink(without), ink(with));
}

}  // namespace

TEST(Bench, HelpAndVersion) {
  test::expect_help("leaf_bench",
                    {"--model", "--batch-size", "--batch", "--runs", "=5", "--explain", "--json",
                     "--inputs", "--output", "--serve", "--compare", "--config", "--split",
                     "--results", "--masks-only", "--device", "--precision", "--threads"});
}

TEST(Bench, PrintsAndWritesTheFigures) {
  const TinyProject project;
  project.with_model();
  const auto outcome =
      bench(project, {"--batch-size", "2", "--runs", "3", "--json", project.path("figures.json")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto json = project.json("figures.json");
  const auto& runs = json["ms_per_image_of_each_run"];
  ASSERT_EQ(runs.size(), 3U);
  std::vector<double> sorted = runs;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_GT(sorted[0], 0);
  EXPECT_EQ(json["ms_per_image"], sorted[1]);
  EXPECT_EQ(json["batch"], 2);
  EXPECT_EQ(json["threads"], 1);
  EXPECT_EQ(json["resolution"], 64);
  EXPECT_GT(json["load_s"], 0);
  EXPECT_FALSE(json.contains("explain"));
  EXPECT_NEAR(figure(outcome.out, "per image"), json["ms_per_image"], 0.051);
  EXPECT_NEAR(figure(outcome.out, "first call"), json["first_ms"], 0.051);
  EXPECT_NEAR(figure(outcome.out, "peak memory"), json["peak_gb"], 0.0051);
  EXPECT_GT(figure(outcome.out, "peak memory"), 0.05);
}

TEST(Bench, ExplainsWhereTheTimeGoes) {
  const TinyProject project;
  project.with_model();
  const auto outcome =
      bench(project, {"--runs", "1", "--explain", "--json", project.path("figures.json")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  double printed = 0;
  int rows = 0;
  for (const std::string& line : lines_of(outcome.out)) {
    std::smatch share;
    if (!line.starts_with("total") && std::regex_search(line, share, std::regex("([0-9.]+) %"))) {
      printed += std::stod(share[1]);
      ++rows;
    }
  }
  EXPECT_NEAR(printed, 100, 0.005 * rows + 0.01);
  EXPECT_NE(outcome.out.find("outside operators"), std::string::npos);

  const auto explain = project.json("figures.json")["explain"];
  double milliseconds = explain["outside_ms"];
  double last = explain["total_ms"];
  int convolutions = 0;
  for (const auto& row : explain["operators"]) {
    milliseconds += row["ms"].get<double>();
    EXPECT_LE(row["ms"], last);
    last = row["ms"];
    EXPECT_GE(row["count"], 1);
    const bool convolution = row["name"].get<std::string>().starts_with("conv ");
    convolutions += convolution ? 1 : 0;
    const bool ours = convolution || row["name"].get<std::string>().starts_with("attention ");
    EXPECT_EQ(row["gflops"] > 0, ours) << row["name"];
  }
  EXPECT_NEAR(milliseconds, explain["total_ms"], 1e-6);
  EXPECT_GE(explain["outside_ms"], 0);  // nested operators counted twice would make it negative
  EXPECT_GT(convolutions, 3);
  EXPECT_EQ(static_cast<std::size_t>(rows), explain["operators"].size() + 1);
}

TEST(Bench, TakesInputsAndWritesTheProbability) {
  const TinyProject project;
  project.with_model();
  at::manual_seed(1);
  const at::Tensor image = at::rand({2, 3, 64, 64});
  const at::Tensor noise = at::randn({2, 4, 8, 8});
  io::write_safetensors(project / "in.safetensors", {{"image", image}, {"noise", noise}});
  const auto outcome = bench(project, {"--runs", "1", "--inputs", project.path("in.safetensors"),
                                       "--output", project.path("out.safetensors")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("batch 2"), std::string::npos) << outcome.out;
  const at::Tensor probability =
      io::read_safetensors(project / "out.safetensors").at("probability");
  const at::Tensor expected = Segmenter::load(project / "model").probability(image, noise);
  EXPECT_EQ(probability.sizes(), (std::vector<std::int64_t>{2, 1, 64, 64}));
  EXPECT_TRUE(at::allclose(probability, expected, 1e-4, 1e-5));
  EXPECT_GT(probability.std().item<double>(), 1e-3);
}

TEST(Bench, ServesOneRunPerLine) {
  const TinyProject project;
  project.with_model();
  write_file(project / "requests", "\nrun\n");
  const StandardInput input(project / "requests");
  const auto outcome = bench(project, {"--serve", "--output", project.path("out.safetensors")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  ASSERT_EQ(lines.size(), 3U) << outcome.out;
  const auto first = nlohmann::json::parse(lines[0]);
  EXPECT_GT(first["load_s"], 0);
  EXPECT_GT(first["first_ms"], 0);
  EXPECT_GT(first["peak_gb"], 0);
  for (const std::string& line : {lines[1], lines[2]}) {
    const auto answer = nlohmann::json::parse(line);
    EXPECT_GT(answer["ms"], 0);
    EXPECT_GE(answer["peak_gb"], first["peak_gb"]);
  }
  EXPECT_EQ(io::read_safetensors(project / "out.safetensors").at("probability").size(0), 1);
}

TEST(Bench, ComparesModelsOnTheSameImages) {
  const TinyProject project;
  project.with_model();
  fs::copy(project / "model", project / "first", fs::copy_options::recursive);
  project.scale_weight("unet", "out.2.weight", -1);
  const auto outcome = test::run_cpu(
      "leaf_bench", {"--compare", project.path("first"), project.path("model"), "--config",
                     project.path("config.yaml"), "--runs", "2", "--results", project.path("r")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  test::expect_parts(outcome.out, {"test part, 2 images, 64 px", "| model | GMAC |", "/first |"});
  const auto rows = lines_of(read_file(project / "r/models.csv"));
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0], "model,gmac,parameters,milliseconds,times_as_fast,dice,agreement");
  std::vector<std::vector<double>> figures;
  for (std::size_t row = 1; row < rows.size(); ++row) {
    std::istringstream fields(rows[row]);
    std::string field;
    std::getline(fields, field, ',');
    figures.emplace_back();
    while (std::getline(fields, field, ',')) {
      figures.back().push_back(std::stod(field));
    }
  }
  EXPECT_GT(figures[0][0], 0.01);  // GMAC
  EXPECT_EQ(figures[0][0], figures[1][0]);
  EXPECT_EQ(figures[0][1], static_cast<double>(parameter_count(load_model(project / "first"))));
  EXPECT_GT(figures[0][2], 0);
  EXPECT_EQ(figures[0][3], 1);
  EXPECT_EQ(figures[0][5], 1);
  EXPECT_LT(figures[1][5], 1);
  EXPECT_NE(read_file(project / "r/models.svg").find("<circle"), std::string::npos);
  // Both images: a row each, under a head; columns image, truth and both models.
  EXPECT_EQ(data::read_image(project / "r/differences.png").rgb.size(1), 4 * 196 + 4);
  expect_no_image_with_masks_only(project);

  const auto scored =
      test::run_cpu("leaf_eval", {"--model", project.path("model"), "--config",
                                  project.path("config.yaml"), "--output", project.path("e")});
  ASSERT_EQ(scored.exit_code, 0) << scored.err;
  EXPECT_NEAR(project.json("e/summary.json")["scores"]["dice"]["mean"], figures[1][4], 1e-12);
}

TEST(Bench, ModelsOfOtherImagesAreNotCompared) {
  const TinyProject project;
  project.with_model();
  expect_usage_error(test::run_cpu("leaf_bench", {"--compare", project.path("model")}),
                     "leaf_bench", {"--config"});
  ASSERT_EQ(
      test::run_program("leaf_convert", {"random", "--config", project.path("config.yaml"), "--set",
                                         "data.resolution=32", "--to", project.path("other")})
          .exit_code,
      0);
  expect_usage_error(
      test::run_cpu("leaf_bench", {"--compare", project.path("model"), project.path("other"),
                                   "--config", project.path("config.yaml")}),
      "leaf_bench", {project.path("other"), "32 px", "64 px"});
}

TEST(Bench, WrongUsageIsOneLine) {
  const TinyProject project;
  expect_usage_error(bench(project, {}), "leaf_bench", {"no model folder", project.path("model")});
  project.with_model();
  expect_usage_error(
      test::run_cpu("leaf_bench", {"--threads", "1", "train", "--config", project.path("c.yaml")}),
      "leaf_bench", {"--threads stands before 'train'"});
  expect_usage_error(bench(project, {"--serve", "--explain"}), "leaf_bench",
                     {"--serve", "--explain"});
  const auto with_inputs = [&](const io::TensorMap& tensors) {
    io::write_safetensors(project / "in.safetensors", tensors);
    return bench(project, {"--inputs", project.path("in.safetensors")});
  };
  const at::Tensor image = at::zeros({1, 3, 64, 64});
  expect_usage_error(with_inputs({{"image", image}}), "leaf_bench",
                     {"'noise'", project.path("in.safetensors")});
  expect_usage_error(with_inputs({{"image", image}, {"noise", at::zeros({2, 4, 8, 8})}}),
                     "leaf_bench", {"'noise'", "[2, 4, 8, 8]", "[1, 4, 8, 8]"});
  expect_usage_error(with_inputs({{"image", image.to(at::kByte)}, {"noise", image}}), "leaf_bench",
                     {"'image'", "Byte"});
}

}  // namespace leaf
