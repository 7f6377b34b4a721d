#include "data/exif.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "support/exif_bytes.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

using test::exif_block;
using test::with_exif;

TEST(Exif, ReadsBothByteOrdersWithTheNameBeforeAndWithout) {
  for (unsigned orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big : {false, true}) {
      const std::string block = exif_block(orientation, big);
      EXPECT_EQ(exif_orientation(block), static_cast<int>(orientation));
      EXPECT_EQ(exif_orientation(block.substr(6)), static_cast<int>(orientation));
    }
  }
}

TEST(Exif, DamagedOrAbsentMeansAsStored) {
  EXPECT_EQ(exif_orientation(""), 1);
  EXPECT_EQ(exif_orientation(exif_block(9, false)), 1);
  const std::string whole = exif_block(6, true);
  const std::size_t entry_end = whole.size() - 4 - 2;  // the link to the next directory, padding
  for (std::size_t size = 0; size < entry_end; ++size) {
    EXPECT_EQ(exif_orientation(std::string_view(whole).substr(0, size)), 1) << size;
  }
}

TEST(Exif, CorruptBytesNeverReachBeyondTheEnd) {
  const std::string whole = exif_block(6, true);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const char value : {'\x00', '\x7F', '\xFF'}) {
      std::string damaged = whole;
      damaged[i] = value;
      const int orientation = exif_orientation(damaged);
      EXPECT_TRUE(orientation >= 1 && orientation <= 8);
    }
  }
}

TEST(Exif, OrientationsTurnAsTheStandardSays) {
  const at::Tensor stored = at::arange(6).view({2, 3});  // 0 1 2 / 3 4 5
  const std::vector<std::vector<std::int64_t>> shown = {
      {0, 1, 2, 3, 4, 5}, {2, 1, 0, 5, 4, 3}, {5, 4, 3, 2, 1, 0}, {3, 4, 5, 0, 1, 2},
      {0, 3, 1, 4, 2, 5}, {3, 0, 4, 1, 5, 2}, {5, 2, 4, 1, 3, 0}, {2, 5, 1, 4, 0, 3}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const at::Tensor turned = apply_orientation(stored, orientation);
    EXPECT_EQ(turned.size(0), orientation >= 5 ? 3 : 2);
    EXPECT_TRUE(turned.flatten().equal(at::tensor(shown[orientation - 1]))) << orientation;
  }
}

TEST(Exif, UndoIsTheInverse) {
  const at::Tensor stored = test::picture(5, 7);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_TRUE(undo_orientation(apply_orientation(stored, orientation), orientation).equal(stored))
        << orientation;
  }
}

TEST(Exif, PhotographIsReadAsDisplayed) {
  const test::TemporaryFolder folder;
  write_jpeg(folder / "plain.jpg", test::picture(16, 24), 100);
  const std::string plain = read_file(folder / "plain.jpg");
  const LoadedImage stored = read_image(folder / "plain.jpg");
  EXPECT_EQ(stored.exif_orientation, 1);
  for (unsigned orientation = 1; orientation <= 8; ++orientation) {
    write_file(folder / "turned.jpg", with_exif(plain, orientation, orientation % 2 == 0));
    const LoadedImage turned = read_image(folder / "turned.jpg");
    EXPECT_EQ(turned.exif_orientation, static_cast<int>(orientation));
    EXPECT_EQ(size_of(turned.rgb).height, orientation >= 5 ? 24 : 16);
    EXPECT_TRUE(undo_orientation(turned.rgb, turned.exif_orientation).equal(stored.rgb));
  }
}

}  // namespace
}  // namespace leaf::data
