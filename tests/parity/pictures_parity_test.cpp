#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/picture.h"

namespace leaf::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

at::ScalarType type_of(const std::string& name) {
  if (name == "float") {
    return at::kFloat;
  }
  return name == "int" ? at::kInt : at::kByte;
}

/// The colours that a palette picture's indices stand for.
at::Tensor colours_of(const Picture& picture) {
  at::Tensor colours = at::zeros({256, 3}, at::kByte);
  for (std::size_t i = 0; i < picture.palette.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      colours[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(c)] = picture.palette[i][c];
    }
  }
  return colours.index({picture.samples.select(2, 0).to(at::kLong)});
}

/// What differs from the expected picture; "" when nothing does.
std::string difference(const Picture& picture, const Json& row) {
  const bool colours = row.value("colours", false);
  const at::Tensor samples = colours ? colours_of(picture) : picture.samples;
  const auto shape = row["shape"].get<std::vector<std::int64_t>>();
  const auto values = row["samples"].get<std::vector<double>>();
  if (samples.sizes() != shape || samples.scalar_type() != type_of(row["type"])) {
    return leaf::str("it is ", samples.scalar_type(), " ", samples.sizes());
  }
  const at::Tensor error = samples.to(at::kDouble) - at::tensor(values, at::kDouble).view(shape);
  const double largest = error.abs().max().item<double>();
  if (largest > row["tolerance"].get<double>()) {
    return str("samples differ by up to ", largest);
  }
  const auto check = [&](const char* what, const auto& got) -> std::string {
    return !row.contains(what) || row[what] == Json(got) ? "" : str(what, " is ", got, "; ");
  };
  const bool palette = !row.contains("palette") || Json(picture.palette) == row["palette"];
  return (colours ? "" : check("bits", picture.bits)) + check("alpha", picture.alpha) +
         check("lossy", picture.lossy) + check("pages", picture.pages) +
         check("orientation", picture.geometry.orientation) +
         check("format", enum_text(picture.format)) + (palette ? "" : "another palette");
}

struct Counts {
  int right = 0;
  int refused = 0;
  int wrong = 0;
};

/// Reads every picture that expected.json lists, and compares.
Counts check_folder(const fs::path& folder) {
  Counts counts;
  for (const Json& row : Json::parse(read_file(folder / "expected.json"))) {
    const std::string name = row["file"];
    std::string problem;
    try {
      const Picture picture = read_picture(folder / name);
      problem = row.contains("refused") ? "it was read" : difference(picture, row);
      counts.right += problem.empty() ? 1 : 0;
    } catch (const DataError& error) {
      const std::string text = error.what();
      const std::string wanted = row.value("refused", "nothing of that");
      const bool named = text.find(wanted) != std::string::npos &&
                         text.find(name) != std::string::npos && text.find('\n') == text.npos;
      problem = named ? "" : text;
      counts.refused += named ? 1 : 0;
    }
    counts.wrong += problem.empty() ? 0 : 1;
    EXPECT_EQ(problem, "") << name;
  }
  return counts;
}

TEST(PicturesParity, TheSmallSet) {
  const Counts counts = check_folder(fs::path(LEAF_FIXTURES) / "pictures");
  EXPECT_GE(counts.right, 20);
  EXPECT_EQ(counts.wrong, 0);
}

TEST(PicturesParity, EveryFileOfTheFolder) {
  const char* folder = std::getenv("LEAF_PARITY_PICTURES");
  if (folder == nullptr) {
    GTEST_SKIP() << "LEAF_PARITY_PICTURES is not set (scripts/parity.sh makes the pictures)";
  }
  const Counts counts = check_folder(folder);
  std::cout << counts.right << " right, " << counts.refused << " refused by name, " << counts.wrong
            << " wrong\n";
  EXPECT_GE(counts.right, 200);
  EXPECT_EQ(counts.wrong, 0);
}

}  // namespace
}  // namespace leaf::data
