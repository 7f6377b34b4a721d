// Our scores against those of the packages that people use: tests/parity/make_metric_fixtures.py.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "leaf/core/files.h"
#include "leaf/metrics/conventions.h"
#include "leaf/metrics/segmentation.h"
#include "leaf/metrics/wilcoxon.h"

namespace leaf::metrics {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// The committed fixtures, and the folder that LEAF_METRICS_DIR names, where there is one.
std::vector<fs::path> folders() {
  std::vector<fs::path> result{fs::path(LEAF_FIXTURES) / "metrics"};
  if (const char* more = std::getenv("LEAF_METRICS_DIR")) {
    result.emplace_back(more);
  }
  return result;
}

json read(const fs::path& path) { return json::parse(read_file(path)); }

at::Tensor mask_of(const json& rows) {
  const auto width = static_cast<std::int64_t>(rows[0].get<std::string>().size());
  at::Tensor mask = at::zeros({static_cast<std::int64_t>(rows.size()), width}, at::kByte);
  auto* value = mask.mutable_data_ptr<std::uint8_t>();
  for (const std::string row : rows) {
    for (const char bit : row) {
      *value++ = bit == '1' ? 255 : 0;
    }
  }
  return mask;
}

/// Three hexadecimal digits per pixel, 4096ths.
at::Tensor probability_of(const std::string& digits, at::IntArrayRef shape) {
  at::Tensor probability = at::empty(shape, at::kFloat);
  auto* value = probability.mutable_data_ptr<float>();
  for (std::size_t i = 0; i < digits.size(); i += 3) {
    *value++ = static_cast<float>(std::stoi(digits.substr(i, 3), nullptr, 16)) / 4096;
  }
  return probability;
}

ImageScore score(const json& one) {
  const at::Tensor truth = mask_of(one.at("truth"));
  ScoreOptions options;
  options.groups = {MetricGroup::kBoundary, MetricGroup::kObjects, MetricGroup::kProbability};
  options.spacing = {one.at("spacing")[0], one.at("spacing")[1]};
  options.tolerance = one.at("tolerance");
  options.object_overlap = one.at("overlap");
  return score_image("x", mask_of(one.at("prediction")), truth, options,
                     probability_of(one.at("probability_4096"), truth.sizes()));
}

/// "" where the two agree: within 1e-6, or both undefined.
std::string difference(double ours, const json& theirs) {
  const bool defined = !theirs.is_null();
  if (defined == is_defined(ours) &&
      (!defined || std::abs(ours - theirs.get<double>()) <=
                       1e-6 * std::max(1.0, std::abs(theirs.get<double>())))) {
    return "";
  }
  return std::to_string(ours) + " and not " + theirs.dump();
}

}  // namespace

TEST(MetricsParity, EveryScoreOfEveryMask) {
  for (const fs::path& folder : folders()) {
    const json cases = read(folder / "cases.json");
    ASSERT_GE(cases.size(), 100U);
    std::set<std::string> compared;
    for (std::size_t i = 0; i < cases.size(); ++i) {
      const ImageScore ours = score(cases[i]);
      const json& theirs = cases[i].at("scores");
      for (std::size_t m = 0; m < all_metrics().size(); ++m) {
        const std::string key = all_metrics()[m].key;
        const json value = theirs.contains(key) ? theirs.at(key) : json();
        EXPECT_EQ(difference(ours.values[m], value), "") << key << " of case " << i;
        if (!value.is_null()) {
          compared.insert(key);
        }
      }
    }
    EXPECT_EQ(compared.size(), all_metrics().size());
  }
}

TEST(MetricsParity, ConventionsOfTheToolsThemselves) {
  for (const fs::path& folder : folders()) {
    const json file = read(folder / "conventions.json");
    std::vector<ImageScore> images;
    for (const json& c : file.at("counts")) {
      images.push_back(
          {"x", {c[0], c[1], c[2], c[3]}, std::vector<double>(all_metrics().size()), {}});
    }
    for (const auto& [key, rows] : file.at("scores").items()) {
      const Convention& convention = find_convention(key);
      for (std::size_t i = 0; i < images.size(); ++i) {
        EXPECT_EQ(difference(convention.dice(images[i].c), rows[i][0]), "") << key << " " << i;
        EXPECT_EQ(difference(convention.iou(images[i].c), rows[i][1]), "") << key << " " << i;
      }
    }
    for (const ConventionScores& row : compare_conventions(images)) {
      const auto& means = file.at("means");
      if (means.contains(row.convention->key)) {
        EXPECT_EQ(difference(row.dice, means.at(row.convention->key)[0]), "");
        EXPECT_EQ(difference(row.iou, means.at(row.convention->key)[1]), "");
      }
    }
    if (folder == folders().front()) {  // the committed ones lack no tool
      EXPECT_EQ(file.at("scores").size() + file.at("means").size() + 1, all_conventions().size());
    }
  }
}

TEST(MetricsParity, WilcoxonOfScipyAndHolm) {
  for (const fs::path& folder : folders()) {
    const json file = read(folder / "wilcoxon.json");
    ASSERT_GE(file[0].size(), 20U);
    for (const json& row : file[0]) {
      const Wilcoxon test = wilcoxon(row.at("differences"));
      EXPECT_NEAR(test.p, row.at("p").get<double>(), 1e-9) << row;
      EXPECT_EQ(test.statistic, row.at("statistic").get<double>()) << row;
    }
    const std::vector<double> corrected = holm(file[1].at("p"));
    for (std::size_t i = 0; i < corrected.size(); ++i) {
      EXPECT_NEAR(corrected[i], file[1].at("holm")[i].get<double>(), 1e-12);
    }
  }
}

}  // namespace leaf::metrics
