#include "leaf/data/volume.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "support/images.h"
#include "support/temporary_folder.h"
#include "support/volumes.h"

namespace leaf::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path kFixtures = fs::path(LEAF_FIXTURES) / "volumes";

/// Rows of the table that tests/parity/make_volume_fixtures.py wrote.
std::vector<Json> rows(const std::string& key) {
  std::vector<Json> found;
  for (const Json& row : Json::parse(read_file(kFixtures / "expected.json"))) {
    if (row.contains(key)) {
      found.push_back(row);
    }
  }
  return found;
}

fs::path file_of(const Json& row) { return kFixtures / row["file"].get<std::string>(); }

/// [slices, H, W, C]
at::Tensor samples_of(const Volume& volume) {
  const ImageSize size = volume.slice_size();
  return stacked_slices(volume).samples.reshape({volume.slices(), size.height, size.width, -1});
}

double affine_error(const VolumeGeometry& geometry, const Json& affine) {
  double largest = 0;
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      largest = std::max(
          largest, std::abs(geometry.affine[row][column] - affine[row][column].get<double>()));
    }
  }
  return largest;
}

/// A .nii of 5x4x3 voxels of int16, as bytes that tests change.
std::string plain_bytes() { return read_file(kFixtures / "type-i2-le.nii"); }

template <typename T>
std::string with(std::string bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

constexpr std::size_t kDim = 40, kType = 70, kPixdim = 76, kOffset = 108, kSform = 254, kRowX = 280,
                      kMagic = 344, kVoxels = 352;

class Bytes : public ::testing::Test {
 protected:
  /// The message of what is thrown when all slices of a file of these bytes are read.
  std::string refusal(const std::string& bytes, const VolumeOptions& options = {},
                      const std::string& name = "v.nii") {
    write_file(folder_ / name, bytes);
    return test::message_of<DataError>(
        [&] { stacked_slices(*open_volume(folder_ / name, options)); });
  }

  void expect_refusal(const std::string& bytes, const std::string& part) {
    const std::string message = refusal(bytes);
    EXPECT_NE(message.find(part), std::string::npos) << part << " in '" << message << "'";
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_NE(message.find("v.nii"), std::string::npos) << message;
  }

  test::TemporaryFolder folder_;
};

std::string packed(const fs::path& path, const std::string& bytes) {
  gzFile file = ::gzopen(path.c_str(), "wb");
  ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  ::gzclose(file);
  return read_file(path);
}

}  // namespace

TEST(Nifti, EveryFixtureIsReadAsNibabelReadsIt) {
  const std::vector<Json> read = rows("values");
  ASSERT_GE(read.size(), 70U);
  for (const Json& row : read) {
    SCOPED_TRACE(row["file"]);
    const auto volume = open_volume(file_of(row));
    EXPECT_EQ(Json(volume->geometry().size), row["size"]);
    EXPECT_LE(affine_error(volume->geometry(), row["affine"]), row.value("tolerance", 1e-6));
    const at::Tensor samples = samples_of(*volume);
    auto shape = row["shape"].get<std::vector<std::int64_t>>();
    shape.resize(4, 1);
    const auto values = row["values"].get<std::vector<double>>();
    ASSERT_EQ(samples.sizes(), shape);
    EXPECT_TRUE(samples.to(at::kDouble).equal(at::tensor(values, at::kDouble).view(shape)));
    if (row.contains("type")) {
      const at::ScalarType type = row["type"] == "byte"  ? at::kByte
                                  : row["type"] == "int" ? at::kInt
                                                         : at::kFloat;
      EXPECT_EQ(samples.scalar_type(), type);
    }
  }
}

TEST(Nifti, TheSameBodyGivesTheSameSlicesInAll48Orientations) {
  const std::vector<Json> turned = rows("orientation");
  ASSERT_EQ(turned.size(), 48U);
  const at::Tensor first = samples_of(*open_volume(file_of(turned.front())));
  for (const Json& row : turned) {
    EXPECT_TRUE(samples_of(*open_volume(file_of(row))).equal(first)) << row["file"];
  }
}

TEST(Nifti, AMaskHasItsSourcesGeometryToTheBit) {
  const test::TemporaryFolder folder;
  for (const Json& row : rows("values")) {
    SCOPED_TRACE(row["file"]);
    const auto source = open_volume(file_of(row));
    const at::Tensor mask = samples_of(*source).select(3, 0).remainder(3).to(at::kByte);
    const fs::path path = folder / "mask.nii";
    write_volume(path, *source, mask);
    const auto written = open_volume(path);
    EXPECT_EQ(written->geometry().size, source->geometry().size);
    EXPECT_EQ(written->geometry().affine, source->geometry().affine);
    EXPECT_TRUE(samples_of(*written).select(3, 0).equal(mask));
    if (source->nifti_header().size() == 348) {
      const std::string header = read_file(path).substr(0, 348);
      using Range = std::pair<std::size_t, std::size_t>;
      for (const auto& [begin, end] :
           std::array{Range{kPixdim, kPixdim + 16}, Range{123, 124}, Range{252, kMagic}}) {
        EXPECT_EQ(header.substr(begin, end - begin),
                  source->nifti_header().substr(begin, end - begin));
      }
    }
  }
}

TEST(Nifti, WhatIsNotReadIsNamed) {
  const std::vector<Json> refused = rows("refused");
  ASSERT_GE(refused.size(), 2U);
  for (const Json& row : refused) {
    const std::string message = test::message_of<DataError>([&] { open_volume(file_of(row)); });
    EXPECT_NE(message.find(row["refused"].get<std::string>()), std::string::npos) << message;
  }
}

TEST_F(Bytes, HeadersThatCannotBeAreRefused) {
  const std::string plain = plain_bytes();
  EXPECT_EQ(refusal(plain), "");
  expect_refusal(with<std::int32_t>(plain, 0, 347), "not a NIfTI file");
  expect_refusal(with<char>(plain, kMagic, 'x'), "not that of NIfTI");
  std::string pair = plain;
  pair.replace(kMagic, 3, "ni1");
  expect_refusal(pair, "voxels are in another file");
  expect_refusal(with<std::int16_t>(plain, kDim, 9), "9 dimensions");
  expect_refusal(with<std::int16_t>(plain, kDim + 2, -5), "the size -5");
  expect_refusal(with<std::int16_t>(plain, kDim + 4, 0), "the size 0");
  expect_refusal(with<std::int16_t>(plain, kType, 1), "are not read");
  expect_refusal(with<std::int16_t>(plain, kType, 999), "are not read");
  expect_refusal(with<float>(plain, kOffset, -1e30F), "no place for the voxels");
  expect_refusal(with<float>(plain, kOffset, NAN), "no place for the voxels");
  expect_refusal(with<float>(plain, kOffset, 1e8F), "ends early");
  expect_refusal(with<float>(plain, kRowX, NAN), "where the voxels lie");
  std::string flat = plain;
  std::memset(flat.data() + kRowX, 0, 16);
  expect_refusal(flat, "where the voxels lie");
}

TEST_F(Bytes, HugeVolumesAreRefusedBeforeMemoryIsTaken) {
  std::string huge = plain_bytes();
  for (std::size_t i = 1; i <= 3; ++i) {
    huge = with<std::int16_t>(huge, kDim + 2 * i, 32767);
  }
  expect_refusal(huge, "VolumeLimits::max_voxels");
  std::string large = with<std::int16_t>(plain_bytes(), kDim + 2, 30000);
  large = with<std::int16_t>(large, kDim + 4, 300);
  large = with<std::int16_t>(large, kDim + 6, 100);
  expect_refusal(large, "ends early");
  EXPECT_NE(refusal(plain_bytes(), {.limits = {.max_voxels = 59}}).find("5x4x3 voxels"),
            std::string::npos);
  EXPECT_NE(refusal(plain_bytes(), {.limits = {.slice = {.max_pixels = 19}}}).find("max_pixels"),
            std::string::npos);
}

TEST_F(Bytes, FilesThatAreCutShortOrDamagedAreRefused) {
  const std::string plain = plain_bytes();
  for (const std::size_t length : {std::size_t{0}, std::size_t{3}, std::size_t{100},
                                   std::size_t{347}, kVoxels, plain.size() - 1}) {
    expect_refusal(plain.substr(0, length), "");
  }
  const std::string gz = packed(folder_ / "whole.nii.gz", plain);
  EXPECT_EQ(refusal(gz, {}, "v.nii.gz"), "");
  EXPECT_NE(refusal(gz.substr(0, gz.size() - 30), {}, "v.nii.gz"), "");
  std::string other_sum = gz;
  other_sum[gz.size() - 6] = static_cast<char>(other_sum[gz.size() - 6] ^ 1);
  EXPECT_NE(refusal(other_sum, {}, "v.nii.gz").find("check"), std::string::npos);
  const std::string none = test::message_of<DataError>([&] { open_volume(folder_ / "no.nii"); });
  EXPECT_NE(none.find("no such file"), std::string::npos);
}

TEST_F(Bytes, ValuesThatAreNotFiniteOrTooLargeAreNamed) {
  std::string bytes = read_file(kFixtures / "type-f4-le.nii");
  write_file(folder_ / "v.nii", with<float>(bytes, kVoxels + 8, NAN));
  const auto volume = open_volume(folder_ / "v.nii");
  EXPECT_NE(test::message_of<DataError>([&] { volume->span(); }).find("not finite"),
            std::string::npos);
  bytes = read_file(kFixtures / "type-i8-le.nii");
  expect_refusal(with<std::int64_t>(bytes, kVoxels + 8, 1LL << 40), "32 bits with a sign");
}

TEST(Volumes, TheRangeIsThatOfTheWholeVolume) {
  const test::TemporaryFolder folder;
  const at::Tensor voxels = at::zeros({2, 2, 2}, at::kInt);
  voxels[0].fill_(-100);
  voxels[1].fill_(100);
  voxels[1][0][0] = 300;
  test::write_axial(folder / "v.nii.gz", voxels);
  const auto volume = open_volume(folder / "v.nii.gz");
  EXPECT_EQ(volume->span().low, -100);
  EXPECT_EQ(volume->span().high, 300);
  const Intensity range{IntensityRule::kRange};
  EXPECT_TRUE(read_slice(*volume, 0, range).rgb.eq(0).all().item<bool>());
  const at::Tensor second = read_slice(*volume, 1, range).rgb;
  EXPECT_EQ(second[0][0][0].item<int>(), 255);
  EXPECT_EQ(second[1][1][2].item<int>(), 127);
  EXPECT_THROW(volume->slice(2), DataError);
  EXPECT_THROW(volume->slice(-1), DataError);
}

TEST(Volumes, SlicesLieAlongTheAxisThatIsAskedFor) {
  const fs::path path = kFixtures / "orientation-RAS.nii.gz";
  EXPECT_EQ(open_volume(path)->slices(), 3);
  EXPECT_EQ(open_volume(path, {.axis = SliceAxis::kI})->slices(), 5);
  EXPECT_EQ(open_volume(path, {.axis = SliceAxis::kJ})->slices(), 4);
  EXPECT_EQ(open_volume(path, {.axis = SliceAxis::kK})->slices(), 3);
  const VolumeGeometry cube = test::axial_geometry({4, 4, 4}, {1, 1, 1});
  EXPECT_EQ(slicing_of(cube).across, 2U);
  for (std::size_t axis = 0; axis < 3; ++axis) {  // a single slice, however thin
    VolumeGeometry flat = test::axial_geometry({8, 8, 8}, {1.5, 1.5, 1.5});
    flat.size[axis] = 1;
    flat.affine[axis][axis] /= 2;
    EXPECT_EQ(slicing_of(flat).across, axis);
  }
}

TEST(Volumes, SlicesGoBackWhereTheyCameFrom) {
  const at::Tensor voxels = at::arange(2 * 3 * 4).view({2, 3, 4});
  for (const SliceAxis axis : {SliceAxis::kI, SliceAxis::kJ, SliceAxis::kK}) {
    for (const Json& row : rows("orientation")) {
      const Slicing slicing = slicing_of(open_volume(file_of(row))->geometry(), axis);
      EXPECT_TRUE(as_voxels(as_slices(voxels, slicing), slicing).equal(voxels));
    }
  }
}

TEST(Volumes, AGeometryAloneMakesAFile) {
  const test::TemporaryFolder folder;
  const at::Tensor voxels = at::arange(24).to(at::kFloat).view({2, 3, 4});
  test::write_axial(folder / "v.nii.gz", voxels);
  const auto volume = open_volume(folder / "v.nii.gz");
  EXPECT_EQ(volume->geometry().affine, test::axial_geometry({}).affine);
  EXPECT_TRUE(test::read_slices(folder / "v.nii.gz").equal(voxels));
  const Picture slice = volume->slice(0);
  EXPECT_EQ(slice.geometry.row_spacing, 1);
  EXPECT_EQ(slice.geometry.orientation, 1);
}

TEST(Volumes, SlicesAskewAreNoRotation) {
  const test::TemporaryFolder folder;
  const auto qform_of = [&](double shear) {
    VolumeGeometry geometry = test::axial_geometry({4, 3, 2});
    geometry.affine[1][2] = shear;  // mm to the back from slice to slice
    write_volume(folder / "v.nii", test::PlainVolume(geometry), at::zeros({2, 3, 4}, at::kByte));
    EXPECT_EQ(open_volume(folder / "v.nii")->geometry().affine, geometry.affine);
    constexpr std::size_t kQform = 252;  // in NIfTI-1
    return static_cast<int>(read_file(folder / "v.nii").at(kQform));
  };
  EXPECT_EQ(qform_of(0), 1);
  EXPECT_EQ(qform_of(1), 0);
}

TEST(Volumes, AreKnownByTheirNames) {
  EXPECT_TRUE(is_volume("a/b.nii") && is_volume("b.NII.GZ"));
  EXPECT_FALSE(is_volume("b.gz") || is_volume("b.png") || is_volume("._b.nii.gz"));
  EXPECT_EQ(without_extension("a.b/c.d.nii.gz"), fs::path("a.b/c.d"));
  EXPECT_EQ(without_extension("c.d.png"), fs::path("c.d"));
  EXPECT_EQ(without_extension("1.2.840.10"), fs::path("1.2.840.10"));  // a UID
  EXPECT_EQ(volume_ending("a.nii"), ".nii");
  EXPECT_EQ(volume_ending("a.nii.gz"), ".nii.gz");
  EXPECT_EQ(slice_name("a/b", 3), "a/b#3");
}

TEST(Volumes, AMasksFileTellsNoNames) {
  const test::TemporaryFolder folder;
  std::string bytes = read_file(kFixtures / "type-u1-le.nii");
  constexpr std::size_t kDescription = 148, kAuxiliary = 228, kDatabase = 14;  // in NIfTI-1
  for (const std::size_t offset : {kDescription, kAuxiliary, kDatabase}) {
    bytes.replace(offset, 3, "DOE");
  }
  write_file(folder / "named.nii", bytes);
  const auto volume = open_volume(folder / "named.nii");
  const ImageSize size = volume->slice_size();
  write_volume(folder / "mask.nii", *volume,
               at::zeros({volume->slices(), size.height, size.width}, at::kByte));
  EXPECT_EQ(read_file(folder / "mask.nii").find("DOE"), std::string::npos);
}

TEST(Volumes, PairsLieAtTheSamePlace) {
  const auto volume = [](std::array<std::int64_t, 3> size, std::array<double, 3> spacing) {
    return test::PlainVolume(test::axial_geometry(size, spacing));
  };
  const auto image = volume({40, 50, 30}, {1, 1, 3});
  EXPECT_NO_THROW(require_same_place(image, volume({40, 50, 30}, {1, 1, 3.01})));
  const auto error = [&](const Volume& mask) {
    return test::message_of<DataError>([&] { require_same_place(mask, image); });
  };
  EXPECT_NE(error(volume({40, 50, 31}, {1, 1, 3})).find("40x50x31 and 40x50x30 voxels"),
            std::string::npos);
  EXPECT_NE(error(volume({40, 50, 30}, {1, 1, 3.1})).find("2.90 mm apart"), std::string::npos);
  const auto even = volume({40, 50, 30}, {1, 1, 1});
  EXPECT_NE(test::message_of<DataError>([&] {
              require_same_place(even, volume({40, 50, 30}, {1.012, 1, 1}));
            }).find("different axes"),
            std::string::npos);
}

}  // namespace leaf::data
