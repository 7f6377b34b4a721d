#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/contours.h"
#include "leaf/data/image_io.h"
#include "leaf/data/maps.h"
#include "leaf/data/mask_values.h"
#include "leaf/data/postprocess.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

using Rows = std::vector<std::string>;

/// Rows of '.' or '0' (background) and anything else (target).
at::Tensor mask_of(const Rows& rows) {
  const auto height = static_cast<std::int64_t>(rows.size());
  const auto width = static_cast<std::int64_t>(rows.front().size());
  at::Tensor mask = at::zeros({height, width}, at::kByte);
  auto* pixel = mask.mutable_data_ptr<std::uint8_t>();
  for (const std::string& row : rows) {
    for (const char c : row) {
      *pixel++ = c == '.' || c == '0' ? 0 : 255;
    }
  }
  return mask;
}

Rows rows_of(const at::Tensor& mask) {
  Rows rows;
  for (std::int64_t y = 0; y < mask.size(0); ++y) {
    std::string row;
    for (std::int64_t x = 0; x < mask.size(1); ++x) {
      row += mask[y][x].item<int>() == 255 ? '#' : '.';
    }
    rows.push_back(row);
  }
  return rows;
}

Rows processed(const std::string& steps, const Rows& rows) {
  return rows_of(apply_postprocess(parse_postprocess(steps), mask_of(rows)));
}

const Rows kMask{"##....#", "#.....#", "..####.", "..#..#.", "..#.##.", "..###.."};

TEST(Postprocess, LargestComponentCountsDiagonalNeighbours) {
  EXPECT_EQ(processed("largest-component", kMask),
            (Rows{"......#", "......#", "..####.", "..#..#.", "..#.##.", "..###.."}));
  EXPECT_EQ(processed("largest-component", {"...", "..."}), (Rows{"...", "..."}));
  EXPECT_EQ(processed("largest-component", {"##.##"}), (Rows{"##..."})) << "the first of equals";
  EXPECT_EQ(processed("largest-component", {"....#", "#...."}), (Rows{"....#", "....."}))
      << "of equals the topmost";
}

TEST(Postprocess, FillHolesLeavesWhatTheBorderReaches) {
  EXPECT_EQ(processed("fill-holes", kMask),
            (Rows{"##....#", "#.....#", "..####.", "..####.", "..####.", "..###.."}));
  EXPECT_EQ(processed("fill-holes", {"###", "#.#", "#.#"}), (Rows{"###", "#.#", "#.#"}));
  EXPECT_EQ(processed("fill-holes", {".#.", "#.#", ".#."}), (Rows{".#.", "###", ".#."}));
}

TEST(Postprocess, RemoveSmallKeepsThoseOfTheSizeNamed) {
  EXPECT_EQ(processed("remove-small=4", {"##..#", "#....", "#..##"}),
            (Rows{"##...", "#....", "#...."}));
  EXPECT_EQ(processed("remove-small=5", {"##..#", "#....", "#..##"}),
            (Rows{".....", ".....", "....."}));
}

TEST(Postprocess, StepsFollowTheirOrder) {
  EXPECT_EQ(processed("fill-holes,remove-small=9", {"###.", "#.#.", "###."}),
            (Rows{"###.", "###.", "###."}));
  EXPECT_EQ(processed("remove-small=9,fill-holes", {"###.", "#.#.", "###."}),
            (Rows{"....", "....", "...."}));
}

TEST(Postprocess, TextAndBackAndWrongWords) {
  const std::string text = "largest-component,fill-holes,remove-small=64";
  EXPECT_EQ(postprocess_text(parse_postprocess(text)), text);
  EXPECT_TRUE(parse_postprocess("").empty());
  for (const char* wrong : {"fill-hole", "remove-small", "remove-small=0", "remove-small=4x",
                            "fill-holes=3", "fill-holes,,remove-small=2"}) {
    EXPECT_THROW(parse_postprocess(wrong), ConfigError) << wrong;
  }
  const std::string message = test::message_of<ConfigError>([] { parse_postprocess("fill-hole"); });
  EXPECT_NE(message.find("did you mean 'fill-holes'"), std::string::npos) << message;
}

TEST(Postprocess, NoStepIsTheMaskItself) {
  const at::Tensor mask = mask_of(kMask);
  EXPECT_TRUE(apply_postprocess({}, mask).is_same(mask));
  const at::Tensor before = mask.clone();
  apply_postprocess(parse_postprocess("largest-component"), mask);
  EXPECT_TRUE(mask.equal(before)) << "the argument stays";
}

TEST(Contours, RunLengthsAreThoseOfPycocotools) {
  std::ifstream file(std::string(LEAF_FIXTURES) + "/data/coco_runs.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_GE(cases.size(), 8U);
  for (const auto& each : cases) {
    const at::Tensor mask = mask_of(each["rows"].get<Rows>());
    EXPECT_EQ(compressed_runs(run_lengths(mask)), each["counts"].get<std::string>());
  }
}

TEST(Contours, PolygonsGoRoundTheGroups) {
  const auto polygons = outline_polygons(mask_of({".....", ".###.", ".###.", ".###."}));
  ASSERT_EQ(polygons.size(), 1U);
  EXPECT_EQ(polygons.front(), (std::vector<double>{1, 1, 1, 3, 3, 3, 3, 1}));
  EXPECT_TRUE(outline_polygons(mask_of({"...", "..."})).empty());
}

TEST(Contours, APixelIsItsBox) {
  const auto polygons = outline_polygons(mask_of({"...", ".#.", "..."}));
  ASSERT_EQ(polygons.size(), 1U);
  EXPECT_EQ(polygons.front(), (std::vector<double>{1, 1, 2, 1, 2, 2, 1, 2}));
}

/// The mask that regions enclose: pixels whose middle an odd number of edges lies left of.
at::Tensor painted(const std::vector<Region>& regions, at::IntArrayRef size) {
  const at::Tensor mask = at::zeros(size, at::kByte);
  const auto flip = [&](const Ring& ring) {
    for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
      for (auto y = std::min(ring[i][1], ring[i + 1][1]); y < std::max(ring[i][1], ring[i + 1][1]);
           ++y) {
        mask[y].narrow(0, ring[i][0], size[1] - ring[i][0]).bitwise_xor_(255);
      }
    }
  };
  for (const Region& region : regions) {
    flip(region.exterior);
    std::for_each(region.holes.begin(), region.holes.end(), flip);
  }
  return mask;
}

/// Closed, along the axes in turns, no corner twice.
void expect_simple(const Ring& ring) {
  ASSERT_GE(ring.size(), 5U);
  EXPECT_EQ(ring.front(), ring.back());
  EXPECT_EQ(std::set(ring.begin(), ring.end()).size(), ring.size() - 1);
  for (std::size_t i = 0; i + 2 < ring.size(); ++i) {
    EXPECT_NE(ring[i][0] == ring[i + 1][0], ring[i][1] == ring[i + 1][1]);
    EXPECT_NE(ring[i][0] == ring[i + 1][0], ring[i + 1][0] == ring[i + 2][0]);
  }
}

TEST(Regions, GoRoundPixelsAndHoles) {
  const auto regions = trace_regions(mask_of({"......", ".####.", ".#..#.", ".####."}));
  ASSERT_EQ(regions.size(), 1U);
  EXPECT_EQ(regions[0].exterior, (Ring{{1, 1}, {5, 1}, {5, 4}, {1, 4}, {1, 1}}));
  ASSERT_EQ(regions[0].holes.size(), 1U);
  EXPECT_EQ(regions[0].holes[0], (Ring{{2, 2}, {2, 3}, {4, 3}, {4, 2}, {2, 2}}));
  EXPECT_EQ(regions[0].pixels, 10);
  EXPECT_TRUE(trace_regions(mask_of({"...", "..."})).empty());
}

TEST(Regions, PixelsThatTouchAtACornerAreApart) {
  EXPECT_EQ(trace_regions(mask_of({"#.", ".#"})).size(), 2U);
  const auto ring = trace_regions(mask_of({"###", "#.#", "##."}));  // its hole touches the outside
  ASSERT_EQ(ring.size(), 1U);
  ASSERT_EQ(ring[0].holes.size(), 1U);
  expect_simple(ring[0].exterior);
  expect_simple(ring[0].holes[0]);
}

TEST(Regions, EncloseTheMaskToThePixel) {
  at::manual_seed(5);
  for (const double share : {0.1, 0.4, 0.5, 0.6, 0.9}) {
    const at::Tensor mask = at::rand({23, 31}).lt(share).to(at::kByte).mul(255);
    const std::vector<Region> regions = trace_regions(mask);
    EXPECT_TRUE(painted(regions, mask.sizes()).equal(mask)) << share;
    std::int64_t pixels = 0;
    for (const Region& region : regions) {
      pixels += region.pixels;
      expect_simple(region.exterior);
      std::for_each(region.holes.begin(), region.holes.end(), expect_simple);
    }
    EXPECT_EQ(pixels, mask.count_nonzero().item<std::int64_t>());
  }
}

TEST(Parts, AreNumbered) {
  const at::Tensor parts = numbered_parts(mask_of(kMask));
  EXPECT_EQ(parts.max().item<int>(), 2);
  EXPECT_TRUE(parts.ne(0).equal(mask_of(kMask).ne(0)));
  EXPECT_EQ(parts[0][0].item<int>(), parts[1][0].item<int>());
  EXPECT_EQ(parts[1][6].item<int>(), parts[2][5].item<int>()) << "across a corner";
  EXPECT_NE(parts[0][0].item<int>(), parts[0][6].item<int>());
}

TEST(Parts, OfClassesThatTouchAreApart) {
  const at::Tensor labels = at::tensor({0, 1, 2, 2, 0, 1}, at::kByte).view({1, 6});
  EXPECT_TRUE(numbered_parts(labels).equal(at::tensor({0, 1, 3, 3, 0, 2}, at::kInt).view({1, 6})));
  EXPECT_TRUE(numbered_parts(at::ones({2, 2}, at::kByte)).equal(at::ones({2, 2}, at::kInt)));
  EXPECT_EQ(numbered_parts(at::zeros({2, 2}, at::kByte)).count_nonzero().item<int>(), 0);
}

TEST(Maps, LabelsAreStoredAsTheyAre) {
  const test::TemporaryFolder folder;
  const at::Tensor labels = at::tensor({0, 1, 2, 255, 256, 65535}, at::kInt).view({2, 3});
  write_labels(folder / "labels.png", labels);
  EXPECT_TRUE(read_mask(folder / "labels.png").to(at::kInt).equal(labels));
  EXPECT_THROW(write_labels(folder / "many.png", labels + 1), DataError);
  EXPECT_FALSE(std::filesystem::exists(folder / "many.png"));
}

TEST(Overlays, AFilledOneTintsTheInside) {
  const at::Tensor rgb = at::full({40, 40, 3}, 100, at::kByte);
  const at::Tensor mask = at::zeros({40, 40}, at::kByte);
  mask.narrow(0, 10, 20).narrow(1, 10, 20).fill_(255);
  const at::Tensor outline = overlay(rgb, mask);
  const at::Tensor filled = filled_overlay(rgb, mask);
  const auto at_middle = [](const at::Tensor& picture) { return picture[20][20]; };
  EXPECT_TRUE(at_middle(outline).equal(rgb[20][20]));
  EXPECT_TRUE(at_middle(filled).equal(at::tensor({154, 142, 65}, at::kByte))) << at_middle(filled);
  EXPECT_TRUE(filled[10][10].equal(outline[10][10]));
  EXPECT_TRUE(filled[5][5].equal(rgb[5][5]));
}

TEST(Maps, SixteenBitPngHoldsTheValue) {
  const test::TemporaryFolder folder;
  const at::Tensor values = at::tensor({0.0F, 0.25F, 0.5F, 1.0F, -0.1F, 1.1F}).view({2, 3});
  write_map(folder / "a/map.png", values, *find_map_writer("16", "map"));
  constexpr std::size_t kDepth = 24;  // of IHDR; the colour type follows, 0 is grey
  EXPECT_EQ(read_file(folder / "a/map.png").substr(kDepth, 2), std::string("\x10\0", 2));
  const at::Tensor stored = read_mask(folder / "a/map.png");
  EXPECT_TRUE(
      at::equal(stored.to(at::kLong), at::tensor({0, 16384, 32768, 65535, 0, 65535}).view({2, 3})))
      << stored;
}

TEST(Maps, NpyIsVersionOneWithItsNumbersBehindAMultipleOf64) {
  const test::TemporaryFolder folder;
  const at::Tensor values = at::rand({3, 5});
  write_map(folder / "map.npy", values, *find_map_writer("npy", "map"));
  const std::string content = read_file(folder / "map.npy");
  EXPECT_TRUE(content.starts_with(std::string("\x93NUMPY\x01\0", 8)));
  const std::size_t header =
      static_cast<unsigned char>(content[8]) + 256U * static_cast<unsigned char>(content[9]);
  EXPECT_EQ((10 + header) % 64, 0U);
  EXPECT_EQ(content[10 + header - 1], '\n');
  EXPECT_TRUE(content.substr(10).starts_with(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }"));
  ASSERT_EQ(content.size(), 10 + header + 3 * 5 * sizeof(float));
  EXPECT_EQ(std::memcmp(content.data() + 10 + header, values.const_data_ptr(), 60), 0);
}

}  // namespace
}  // namespace leaf::data
