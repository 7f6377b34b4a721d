#include "train/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "support/equal_tensors.h"
#include "support/images.h"
#include "support/small_networks.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

using test::expect_equal;

Checkpoint make_checkpoint(std::int64_t step, std::int64_t size = 8) {
  const auto seed = static_cast<std::uint64_t>(step);
  return {.step = step,
          .best_score = 0.25,
          .best_step = step / 2,
          .unlogged_sums = {{"loss", 0.1}},
          .unlogged_steps = 2,
          .weights = {{"unet.out.2.weight", test::normal({size}, seed)},
                      {"projector.0.bias", test::normal({2, 3}, seed + 1)}},
          .optimizer = {{"unet.out.2.weight.exp_avg", test::normal({size}, seed + 2)},
                        {"unet.out.2.weight.updates", at::full({}, 7.0F)}}};
}

std::vector<std::string> entries(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::path& entry : list_folder(folder)) {
    names.push_back(entry.filename().string());
  }
  return names;
}

std::string read_error(const fs::path& path) {
  return test::message_of<WeightsError>([&] { read_checkpoint(path); });
}

/// Files of this process cannot grow beyond `bytes`, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST(Checkpoint, RoundTrip) {
  const test::TemporaryFolder folder;
  Checkpoint written = make_checkpoint(500);
  written.validation_due = true;
  write_checkpoint(folder.path(), written, 2);
  const auto all = complete_checkpoints(folder.path());
  ASSERT_EQ(all, std::vector<std::filesystem::path>{folder / "step-0000500"});
  const Checkpoint read = read_checkpoint(all.back());
  EXPECT_EQ(read.step, 500);
  EXPECT_EQ(read.best_score, 0.25);
  EXPECT_EQ(read.best_step, 250);
  EXPECT_EQ(read.unlogged_sums, (std::map<std::string, double>{{"loss", 0.1}}));
  EXPECT_EQ(read.unlogged_steps, 2);
  EXPECT_TRUE(read.validation_due);
  expect_equal(read.weights, written.weights);
  expect_equal(read.optimizer, written.optimizer);
}

TEST(Checkpoint, KeepsTheNewest) {
  const test::TemporaryFolder folder;
  for (const std::int64_t step : {9, 10, 200, 1000}) {
    write_checkpoint(folder.path(), make_checkpoint(step), 2);
  }
  EXPECT_EQ(entries(folder.path()), (std::vector<std::string>{"step-0000200", "step-0001000"}));
  EXPECT_EQ(complete_checkpoints(folder.path()).back().filename(), "step-0001000");
}

TEST(Checkpoint, CopiesOfTheUsersStay) {
  const test::TemporaryFolder folder;
  write_checkpoint(folder.path(), make_checkpoint(500), 2);
  fs::copy(folder / "step-0000500", folder / "step-0000500-keep");
  write_checkpoint(folder.path(), make_checkpoint(1000), 1);
  EXPECT_EQ(entries(folder.path()),
            (std::vector<std::string>{"step-0000500-keep", "step-0001000"}));
  EXPECT_EQ(complete_checkpoints(folder.path()).size(), 1U);
}

TEST(Checkpoint, TheNewestIsTheOneOfTheLastStep) {
  const test::TemporaryFolder folder;
  for (const std::int64_t step : {9'999'999, 10'000'000}) {  // of seven and of eight digits
    write_checkpoint(folder.path(), make_checkpoint(step), 2);
  }
  EXPECT_EQ(complete_checkpoints(folder.path()).size(), 2U);
  EXPECT_EQ(complete_checkpoints(folder.path()).back().filename(), "step-10000000");
}

TEST(Checkpoint, ReplacesTheSameStep) {
  const test::TemporaryFolder folder;
  Checkpoint checkpoint = make_checkpoint(5);
  write_checkpoint(folder.path(), checkpoint, 2);
  checkpoint.best_score = 0.5;
  write_checkpoint(folder.path(), checkpoint, 2);
  EXPECT_EQ(entries(folder.path()).size(), 1U);
  EXPECT_EQ(read_checkpoint(folder / "step-0000005").best_score, 0.5);
}

TEST(Checkpoint, NoneWhereNothingWasWritten) {
  const test::TemporaryFolder folder;
  EXPECT_TRUE(complete_checkpoints(folder.path()).empty());
  EXPECT_TRUE(complete_checkpoints(folder / "missing").empty());
}

TEST(Checkpoint, IncompleteFoldersDoNotCount) {
  const test::TemporaryFolder folder;
  write_checkpoint(folder.path(), make_checkpoint(5), 2);
  test::touch(folder / "step-0000009" / "weights.safetensors");
  write_file(folder / ".leaf-tmp-1" / "state.json", "{}");
  EXPECT_EQ(complete_checkpoints(folder.path()).back().filename(), "step-0000005");
}

TEST(Checkpoint, RefusesANewerFormat) {
  const test::TemporaryFolder folder;
  write_checkpoint(folder.path(), make_checkpoint(5), 2);
  write_file(folder / "step-0000005" / "state.json",
             R"({"format_version": 99, "step": 5, "best_score": 0.0, "best_step": 0})");
  const auto message = read_error(folder / "step-0000005");
  EXPECT_NE(message.find("step-0000005"), std::string::npos) << message;
  EXPECT_NE(message.find("newer version"), std::string::npos) << message;
}

TEST(Checkpoint, OlderFilesHaveNoValidationDue) {
  const test::TemporaryFolder folder;
  write_checkpoint(folder.path(), make_checkpoint(5), 2);
  write_file(folder / "step-0000005" / "state.json",
             R"({"format_version": 1, "step": 5, "best_score": 0.0, "best_step": 0})");
  EXPECT_FALSE(read_checkpoint(folder / "step-0000005").validation_due);
}

TEST(Checkpoint, OneFlippedBitIsDamage) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "step-0000005";
  for (const std::string file : {"weights.safetensors", "optimizer.safetensors"}) {
    write_checkpoint(folder.path(), make_checkpoint(5), 2);
    std::string bytes = read_file(path / file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    write_file(path / file, bytes);
    EXPECT_NE(read_error(path).find(file + "' is damaged: its checksum is crc32:"),
              std::string::npos)
        << read_error(path);
  }
  write_checkpoint(folder.path(), make_checkpoint(5), 2);
  std::string state = read_file(path / "state.json");
  state.replace(state.find("0.25"), 4, "0.75");
  write_file(path / "state.json", state);
  EXPECT_NE(read_error(path).find("state.json' is damaged"), std::string::npos);
}

TEST(Checkpoint, ValuesThatCannotBeAreRefused) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "step-0000005";
  write_checkpoint(folder.path(), make_checkpoint(5), 2);
  const auto expect = [&](const std::string& values, const std::string& reason) {
    write_file(path / "state.json", "{" + values + "}");
    const std::string message = read_error(path);
    EXPECT_NE(message.find((path / "state.json").string() + "': " + reason), std::string::npos)
        << message;
  };
  const std::string version = R"("format_version": 1, )";
  const std::string rest = R"(, "best_score": 0.0, "best_step": 0)";
  expect(version + R"("step": -5)" + rest, "step expects a whole number >= 1, not '-5'");
  expect(version + R"("step": 5.5)" + rest, "step expects a whole number >= 1, not '5.5'");
  expect(version + R"("step": "5")" + rest, "step expects a whole number >= 1, not '\"5\"'");
  expect(version + R"("step": 7)" + rest, "step 7 and best_step 0 do not fit the folder's name");
  expect(version + R"("step": 5, "best_score": null, "best_step": 0)",
         "best_score expects a number, not 'null'");
  expect(version + R"("step": 5, "best_score": 0, "best_step": 9)", "step 5 and best_step 9 do");
  expect(version + R"("step": 5, "validation_due": 1)" + rest,
         "validation_due expects true or false, not '1'");
  expect(version + R"("step": 5, "unlogged_steps": -1)" + rest,
         "unlogged_steps expects a whole number >= 0, not '-1'");
  expect(version + R"("step": 5, "unlogged_sums": {"loss": "low"})" + rest,
         "unlogged_sums expects an object of numbers");
  expect(R"("format_version": "1", "step": 5)" + rest, "format_version expects a whole number");
  expect(R"("format_version": 0, "step": 5)" + rest, "format_version expects a whole number");
}

TEST(Checkpoint, LaterOnesThatCouldNotBeReadGo) {
  const test::TemporaryFolder folder;
  for (const std::int64_t step : {5, 10, 15}) {
    write_checkpoint(folder.path(), make_checkpoint(step), 3);
  }
  write_checkpoint(folder.path(), make_checkpoint(8), 3);
  EXPECT_EQ(entries(folder.path()), (std::vector<std::string>{"step-0000005", "step-0000008"}));
}

TEST(Checkpoint, NamesTheDamagedFile) {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "step-0000005";
  for (const char* state : {"{\"format_version\": 1", R"({"format_version": 1})",
                            R"({"format_version": 1, "step": "five"})"}) {
    write_checkpoint(folder.path(), make_checkpoint(5), 2);
    write_file(path / "state.json", state);
    EXPECT_NE(read_error(path).find("state.json"), std::string::npos) << state;
  }
  write_checkpoint(folder.path(), make_checkpoint(5), 2);
  write_file(path / "optimizer.safetensors", "short");
  EXPECT_NE(read_error(path).find("optimizer.safetensors"), std::string::npos) << read_error(path);
}

TEST(Checkpoint, FullDiskLeavesTheOlderOne) {
  const test::TemporaryFolder folder;
  write_checkpoint(folder.path(), make_checkpoint(1), 2);
  std::string message;
  {
    const FileSizeLimit limit(16 * 1024);
    message = test::message_of<FileError>(
        [&] { write_checkpoint(folder.path(), make_checkpoint(2, /*size=*/100'000), 1); });
  }
  EXPECT_NE(message.find("weights.safetensors"), std::string::npos) << message;
  EXPECT_EQ(entries(folder.path()), std::vector<std::string>{"step-0000001"});
  const auto all = complete_checkpoints(folder.path());
  ASSERT_FALSE(all.empty());
  expect_equal(read_checkpoint(all.back()).weights, make_checkpoint(1).weights);
}

}  // namespace leaf
