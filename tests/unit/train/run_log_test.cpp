#include "train/run_log.h"

#include <gtest/gtest.h>

#include <sstream>

#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "support/exif_bytes.h"
#include "support/images.h"
#include "support/temporary_folder.h"
#include "train/tensorboard.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

std::vector<std::string> metric_lines(const fs::path& folder) {
  std::istringstream content(read_file(folder / "metrics.jsonl"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(content, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// TensorBoard's masked checksum as four bytes.
std::string checksum(const std::string& bytes) {
  const std::uint32_t crc = tensorboard::crc32c(bytes);
  return test::little_endian(((crc >> 15) | (crc << 17)) + 0xA282EAD8U, 4);
}

std::string record(const std::string& payload) {
  const std::string length =
      test::little_endian(static_cast<unsigned>(payload.size()), 4) + std::string(4, '\0');
  return length + checksum(length) + payload + checksum(payload);
}

}  // namespace

TEST(RunLog, WritesOneObjectALine) {
  const test::TemporaryFolder folder;
  RunLog log(folder.path(), 0);
  log.write(1, "train", {{"loss", 0.5}, {"learning_rate", 0.25}});
  log.write(2, "validation", {{"dice", 0.75}});
  EXPECT_EQ(
      metric_lines(folder.path()),
      (std::vector<std::string>{R"({"step":1,"phase":"train","learning_rate":0.25,"loss":0.5})",
                                R"({"step":2,"phase":"validation","dice":0.75})"}));
}

TEST(RunLog, DropsWhatCameAfterTheCheckpoint) {
  const test::TemporaryFolder folder;
  {
    RunLog log(folder.path(), 0);
    for (const std::int64_t step : {1, 2, 3}) {
      log.write(step, "train", {{"loss", 1.0}});
    }
  }
  const fs::path metrics = folder / "metrics.jsonl";
  write_file(metrics, read_file(metrics) + R"({"step":2,"pha)");  // the machine went down here
  {
    RunLog log(folder.path(), 2);
    log.write(3, "train", {{"loss", 2.0}});
  }
  EXPECT_EQ(metric_lines(folder.path()),
            (std::vector<std::string>{R"({"step":1,"phase":"train","loss":1.0})",
                                      R"({"step":2,"phase":"train","loss":1.0})",
                                      R"({"step":3,"phase":"train","loss":2.0})"}));
}

TEST(RunLog, WritesTheScalarsAsEvents) {
  const test::TemporaryFolder folder;
  {
    RunLog log(folder.path(), 0);
    log.write(1, "train", {{"loss", 0.5}});
  }
  const std::vector<fs::path> files = list_folder(folder / "tensorboard");
  ASSERT_EQ(files.size(), 1U);
  EXPECT_TRUE(files[0].filename().string().starts_with("events.out.tfevents."));
  const std::string bytes = read_file(files[0]);
  EXPECT_NE(bytes.find("brain.Event:2"), std::string::npos);
  EXPECT_NE(bytes.find("train/loss"), std::string::npos);
}

TEST(RunLog, EventsAfterTheCheckpointGoToo) {
  const test::TemporaryFolder folder;
  {
    RunLog log(folder.path(), 0);
    for (const std::int64_t step : {1, 2, 3, 300}) {
      log.write(step, "train", {{"loss", 1.0}, {"grad_norm", 2.0}});
    }
  }
  const fs::path events = list_folder(folder / "tensorboard").front();
  write_file(events, read_file(events) + "half a rec");  // the machine went down here
  { const RunLog log(folder.path(), 2); }
  const std::string kept = read_file(events);
  std::size_t count = 0;
  for (auto at = kept.find("train/loss"); at != std::string::npos;
       at = kept.find("train/loss", at + 1)) {
    ++count;
  }
  EXPECT_EQ(count, 2U);
  EXPECT_NE(kept.find("brain.Event:2"), std::string::npos);
  EXPECT_EQ(kept.find("half a rec"), std::string::npos);
}

TEST(Tensorboard, RecordsUpToAStepStayAsTheyAre) {
  const std::string version = tensorboard::file_version_record(1.5);
  const std::string one = tensorboard::scalar_record(1.5, 1, "a", 1.0F);
  const std::string many = tensorboard::scalar_record(1.5, 300, "a", 1.0F);
  const std::string all = version + many + one;
  EXPECT_EQ(tensorboard::records_up_to(all, 300), all);
  EXPECT_EQ(tensorboard::records_up_to(all, 299), version + one);
  EXPECT_EQ(tensorboard::records_up_to(all, 0), version);
  EXPECT_EQ(tensorboard::records_up_to(all.substr(0, all.size() - 1), 300), version + many);
  EXPECT_EQ(tensorboard::records_up_to(std::string(40, '\xFF'), 300), "");
  EXPECT_EQ(tensorboard::records_up_to("", 300), "");
}

TEST(Tensorboard, Crc32cHasItsCheckValue) {
  EXPECT_EQ(tensorboard::crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(tensorboard::crc32c(""), 0U);
}

TEST(Tensorboard, FilesStartAsTensorFlows) {
  // Every event file begins with these bytes: a length of 24, its checksum, the wall time's key.
  const std::string bytes = tensorboard::file_version_record(1.5);
  EXPECT_EQ(bytes.substr(0, 13), std::string("\x18\0\0\0\0\0\0\0\xA3\x7F\x4B\x22\x09", 13));
  const std::string wall_time("\0\0\0\0\0\0\xF8\x3F", 8);  // 1.5 as a little-endian double
  EXPECT_EQ(bytes, record(leaf::str("\x09", wall_time, "\x1A\x0D", "brain.Event:2")));
}

TEST(Tensorboard, ScalarRecord) {
  const std::string wall_time("\0\0\0\0\0\0\xF8\x3F", 8);
  const std::string value("\0\0\x80\x3E", 4);  // 0.25 as a little-endian float
  const std::string scalar = leaf::str("\x0A\x0A", "train/loss", "\x15", value);
  const std::string summary = leaf::str("\x0A", test::little_endian(17, 1), scalar);
  const std::string step = "\x10\xAC\x02";  // 300 as a varint
  EXPECT_EQ(
      tensorboard::scalar_record(1.5, 300, "train/loss", 0.25F),
      record(leaf::str("\x09", wall_time, step, "\x2A", test::little_endian(19, 1), summary)));
}

TEST(Tensorboard, ImageRecord) {
  const std::string wall_time("\0\0\0\0\0\0\xF8\x3F", 8);
  const std::string image = "\x08\x02\x10\xAC\x02\x18\x03\x22\x03PNG";  // 2 x 300, RGB
  const std::string value = leaf::str("\x0A\x03", "a/b", "\x22", test::little_endian(12, 1), image);
  const std::string summary = leaf::str("\x0A", test::little_endian(19, 1), value);
  EXPECT_EQ(tensorboard::image_record(1.5, 7, "a/b", {.height = 2, .width = 300, .encoded = "PNG"}),
            record(leaf::str("\x09", wall_time, "\x10\x07", "\x2A", test::little_endian(21, 1),
                             summary)));
}

TEST(RunLog, WritesPicturesAsEvents) {
  const test::TemporaryFolder folder;
  data::write_jpeg(folder / "overlays/a/1.jpg", test::picture(16, 32));
  {
    RunLog log(folder.path(), 0);
    log.write_images(1, "validation", folder / "overlays");
    log.write_images(1, "validation", folder / "nowhere");
  }
  const std::string bytes = read_file(list_folder(folder / "tensorboard").at(0));
  EXPECT_NE(bytes.find("validation/a/1"), std::string::npos);
  EXPECT_NE(bytes.find(read_file(folder / "overlays/a/1.jpg")), std::string::npos);
}

}  // namespace leaf
