#include "leaf/core/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/checksum.h"
#include "leaf/core/error.h"
#include "leaf/core/folder_lock.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace fs = std::filesystem;

TEST(Files, WriteThenRead) {
  const test::TemporaryFolder folder;
  write_file(folder / "a/b/c.txt", "hello");
  EXPECT_EQ(read_file(folder / "a/b/c.txt"), "hello");
}

TEST(Files, FailedReplacementLeavesTheOldFile) {
  const test::TemporaryFolder folder;
  write_file(folder / "a.txt", "old");
  EXPECT_THROW(replace_file(folder / "a.txt", [](const fs::path&) { throw FileError("no"); }),
               FileError);
  EXPECT_EQ(read_file(folder / "a.txt"), "old");
  EXPECT_EQ(list_folder(folder.path()).size(), 1U);
}

TEST(Files, ReplaceFolderIsAllOrNothing) {
  const test::TemporaryFolder folder;
  const auto target = folder / "model";
  replace_folder(target, [](const fs::path& t) { write_file(t / "a", "1"); });
  EXPECT_THROW(replace_folder(target,
                              [](const fs::path& t) {
                                write_file(t / "a", "2");
                                throw FileError("disk full");
                              }),
               FileError);
  EXPECT_EQ(read_file(target / "a"), "1");
  replace_folder(target, [](const fs::path& t) { write_file(t / "b", "3"); });
  EXPECT_FALSE(fs::exists(target / "a"));
  EXPECT_EQ(read_file(target / "b"), "3");
  EXPECT_EQ(list_folder(folder.path()).size(), 1U);
}

TEST(Files, LeftoversOfAKilledProgramGo) {
  const test::TemporaryFolder folder;
  write_file(folder / "model/a", "kept");
  write_file(folder / ".leaf-tmp-1/a", "half");
  write_file(folder / ".leaf-old-2/model/a", "older");
  write_file(folder / ".leaf-old-3/best/a", "moved aside");
  write_file(folder / ".leaf-tmp-4", "half");
  write_file(folder / ".hidden", "kept");
  remove_leftovers(folder.path());
  remove_leftovers(folder / "nowhere");
  EXPECT_EQ(list_folder(folder.path()),
            (std::vector<fs::path>{folder / ".hidden", folder / "best", folder / "model"}));
  EXPECT_EQ(read_file(folder / "model/a"), "kept");
  EXPECT_EQ(read_file(folder / "best/a"), "moved aside");
}

TEST(Files, LeftoversOfALivingProgramStay) {
  const test::TemporaryFolder folder;
  replace_folder(folder / "model", [&](const fs::path& temporary) {
    write_file(temporary / "a", "1");
    remove_leftovers(folder.path());
    EXPECT_TRUE(fs::exists(temporary / "a"));
  });
  replace_file(folder / "b", [&](const fs::path& temporary) {
    remove_leftovers(folder.path());
    EXPECT_TRUE(fs::exists(temporary));
  });
  EXPECT_EQ(list_folder(folder.path()), (std::vector<fs::path>{folder / "b", folder / "model"}));
}

TEST(Files, TemporariesHaveNewNamesThatFitAnyTarget) {
  const test::TemporaryFolder folder;
  const fs::path target = folder / std::string(255, 'n');  // the longest name that there is
  std::vector<fs::path> seen;
  for (int i = 0; i < 2; ++i) {
    replace_file(target, [&](const fs::path& temporary) { seen.push_back(temporary); });
  }
  EXPECT_TRUE(fs::exists(target));
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_TRUE(seen[0].filename().string().starts_with(".leaf-tmp-"));
}

TEST(Files, MessagesNameTheTarget) {
  const test::TemporaryFolder folder;
  const auto message = [&](int error) {
    return test::message_of<FileError>([&] {
      replace_folder(folder / "model", [&](const fs::path& temporary) {
        throw_cannot_write(temporary / "unet/a", error);
      });
    });
  };
  const std::string start = "cannot write '" + (folder / "model/unet/a").string() + "': ";
  EXPECT_EQ(message(ENOSPC), start + "No space left on device; free space");
  EXPECT_EQ(message(EACCES), start + "Permission denied");
  EXPECT_THROW(throw_cannot_write("a", EDQUOT), DiskFullError);
}

TEST(Files, Checksums) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(checksum("123456789"), "crc32:cbf43926");  // CRC-32's check value
  const std::string large(200'000, 'x');
  write_file(folder / "large", large);
  EXPECT_EQ(file_checksum(folder / "large"), checksum(large));
  EXPECT_EQ(checksum(""), "crc32:00000000");
  EXPECT_THROW(file_checksum(folder / "none"), FileError);
}

TEST(Files, OnlyRegularFilesAreRead) {
  const test::TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  fs::create_symlink("/dev/zero", folder / "endless");
  EXPECT_THROW(read_file(folder / "pipe"), FileError);
  EXPECT_THROW(read_file(folder / "endless"), FileError);
  EXPECT_THROW(read_file("/proc/self/mem"), FileError);  // reading it fails
}

TEST(Files, AMadeFolderIsRemovedWithTheParentsThatWereNotThere) {
  const test::TemporaryFolder folder;
  write_file(folder / "a/kept", "");
  const auto parents = missing_parents(folder / "a/b/c/d");
  EXPECT_EQ(parents, (std::vector<fs::path>{folder / "a/b/c", folder / "a/b"}));
  write_file(folder / "a/b/c/d/file", "");
  remove_folder(folder / "a/b/c/d", parents);
  EXPECT_EQ(list_folder(folder / "a"), std::vector<fs::path>{folder / "a/kept"});
  write_file(folder / "a/b/c/d/file", "");
  write_file(folder / "a/b/other", "");  // made by somebody else in the meantime
  remove_folder(folder / "a/b/c/d", parents);
  EXPECT_EQ(list_folder(folder / "a/b"), std::vector<fs::path>{folder / "a/b/other"});
}

TEST(FolderLock, OneHasAFolder) {
  const test::TemporaryFolder folder;
  auto first = FolderLock::unless_held(folder.path());
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(FolderLock::unless_held(folder.path()), nullptr);
  EXPECT_THROW(FolderLock second(folder.path()), FileError);
  first.reset();
  EXPECT_NE(FolderLock::unless_held(folder.path()), nullptr);
  EXPECT_THROW(FolderLock::unless_held(folder / "missing"), FileError);
}

TEST(Files, AFailureWithoutACauseIsNoSuccess) {
  const std::string message =
      test::message_of<FileError>([] { throw_cannot_write("result.nii.gz", 0); });
  EXPECT_EQ(message.find("Success"), std::string::npos) << message;
}

TEST(Files, ErrorsNameThePath) {
  const test::TemporaryFolder folder;
  try {
    read_file(folder / "missing.txt");
    FAIL() << "expected a FileError";
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find("missing.txt"), std::string::npos);
  }
  EXPECT_THROW(read_file(folder.path()), FileError);
  write_file(folder / "file", "");
  EXPECT_THROW(make_folder(folder / "file"), FileError);
}

}  // namespace leaf
