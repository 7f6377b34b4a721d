#include "data/image_folder.h"

#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/image_io.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

std::string warnings_about(const FoundImages& found) {
  testing::internal::CaptureStderr();
  report_passed_over(found, "in");
  return testing::internal::GetCapturedStderr();
}

}  // namespace

TEST(ImageFolder, SaysWhatIsPassedOver) {
  const test::TemporaryFolder folder;
  for (const char* name :
       {"a.png", "b.gif", "c.GIF", "sub/d.nii.gz", "e", "notes.txt", ".hidden"}) {
    test::touch(folder / name);
  }
  const FoundImages found = find_images(folder.path());
  EXPECT_EQ(found.images, (std::vector<std::filesystem::path>{folder / "a.png"}));
  EXPECT_EQ(warnings_about(found),
            "warning: 4 files in 'in' are no images that leaf reads and are passed over: 2 .gif, 1 "
            "without ending, 1 .gz\n");
  EXPECT_EQ(warnings_about({}), "");
}

TEST(ImageFolder, LinksThatLeadBackAreNotFollowed) {
  const test::TemporaryFolder folder;
  test::touch(folder / "sub/a.png");
  test::touch(folder / "elsewhere/b.png");
  std::filesystem::create_directory_symlink(".", folder / "sub/here");
  std::filesystem::create_directory_symlink("..", folder / "sub/up");
  std::filesystem::create_symlink("endless", folder / "sub/endless");
  std::filesystem::create_directory_symlink(folder / "elsewhere", folder / "sub/link");
  const FoundImages found = find_images(folder / "sub", {.recursive = true});
  EXPECT_EQ(found.images,
            (std::vector<std::filesystem::path>{folder / "sub/a.png", folder / "sub/link/b.png"}));
}

TEST(ImageFolder, AFolderWithoutImagesSaysWhatItHolds) {
  const test::TemporaryFolder folder;
  test::touch(folder / "a.mha");
  test::touch(folder / "b.mha");
  const std::string message = test::message_of<DataError>([&] { find_images(folder.path()); });
  EXPECT_NE(message.find("; it holds 2 .mha"), std::string::npos) << message;
}

TEST(ImageFolder, ExtensionsAreAskedForWithoutTheFile) {
  EXPECT_TRUE(has_image_extension("absent/a.PNG"));
  for (const char* name : {"a", "a.txt", "a.", ".png", ".a.png", ""}) {
    EXPECT_FALSE(has_image_extension(name)) << name;
  }
  const test::TemporaryFolder folder;
  write_file(folder / "scan", std::string(128, '\0') + "DICM");
  EXPECT_TRUE(is_image_file(folder / "scan"));
  EXPECT_FALSE(has_image_extension(folder / "scan"));
  std::filesystem::copy_file(folder / "scan", folder / "1.2.840.7");
  EXPECT_TRUE(is_image_file(folder / "1.2.840.7"));
}

TEST(ImageFolder, EarlierResultsAreNotEntered) {
  const test::TemporaryFolder folder;
  const std::string summary =
      R"({"status": "complete", "versions": {"leaf": "1", "libtorch": "2"}})";
  for (const char* name :
       {"a.jpg", "old/a.png", "old/overlays/a.jpg", "other/b.png", "overlays/c.png"}) {
    test::touch(folder / name);
  }
  write_file(folder / "old/summary.json", summary);
  write_file(folder / "other/summary.json", "{}");
  FoundImages found = find_images(folder.path());
  EXPECT_EQ(found.images,
            (std::vector<std::filesystem::path>{folder / "a.jpg", folder / "other/b.png",
                                                folder / "overlays/c.png"}));
  EXPECT_EQ(warnings_about(found),
            "warning: earlier results are passed over: '" + (folder / "old").string() + "'\n");
  EXPECT_EQ(find_images(folder.path(), {.enter_results = true}).images.size(), 5U);
  // A folder that itself holds results is asked for by name: only the pictures are left out.
  found = find_images(folder / "old");
  EXPECT_EQ(found.images, (std::vector<std::filesystem::path>{folder / "old/a.png"}));
  EXPECT_EQ(found.results, (std::vector<std::filesystem::path>{folder / "old/overlays"}));
}

}  // namespace leaf::data
