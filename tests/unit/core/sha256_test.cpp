#include "core/sha256.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "support/temporary_folder.h"

namespace leaf {

// The examples of FIPS 180-4.
TEST(Sha256, KnownDigests) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, AFileOfSeveralPieces) {
  const test::TemporaryFolder folder;
  const std::string million(1'000'000, 'a');
  write_file(folder / "a", million);
  EXPECT_EQ(sha256_of_file(folder / "a"),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  write_file(folder / "empty", "");
  EXPECT_EQ(sha256_of_file(folder / "empty"), sha256(""));
}

TEST(Sha256, OnlyRegularFilesAreRead) {
  const test::TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(sha256_of_file(folder / "pipe"), FileError);
  EXPECT_THROW(sha256_of_file(folder.path()), FileError);
  EXPECT_THROW(sha256_of_file(folder / "missing"), FileError);
}

}  // namespace leaf
