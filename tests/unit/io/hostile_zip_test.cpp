#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bytes.h"
#include "io/torch_zip.h"
#include "leaf/core/files.h"
#include "pickle_bytes.h"
#include "support/temporary_folder.h"
#include "zip_bytes.h"

namespace leaf::io {
namespace {

using test::dict_of;
using test::expect_weights_error;
using test::storage;
using test::tensor;
using test::zip_bytes;
using test::ZipRecord;

ZipRecord pickle_record(const std::string& type = "ByteStorage", std::int64_t count = 4) {
  return {.name = "m/data.pkl", .data = dict_of(tensor(storage(type, count), 0, {count}, {1}))};
}

ZipRecord storage_record(const std::function<void(ZipRecord&)>& change = [](ZipRecord&) {}) {
  ZipRecord record{.name = "m/data/0", .data = std::string("\1\2\3\4", 4)};
  change(record);
  return record;
}

TensorMap read_bytes(const std::string& bytes) {
  const test::TemporaryFolder folder;
  write_file(folder / "a.pth", bytes);
  return read_torch_zip(folder / "a.pth");
}

TEST(HostileZip, ThePlainOneIsRead) {
  EXPECT_EQ(read_bytes(zip_bytes({pickle_record(), storage_record()})).at("a").sum().item<int>(),
            10);
  EXPECT_EQ(read_bytes(zip_bytes({pickle_record(), storage_record()}) + "trailing").at("a").numel(),
            4);
}

TEST(HostileZip, MisalignedStoragesAreCopied) {
  for (std::size_t shift = 0; shift < 8; ++shift) {
    const ZipRecord pickle = pickle_record("FloatStorage", 1);
    const std::string filler(shift, 'x');
    const ZipRecord number{.name = "m/data/0", .data = test::bytes_of(1.5F)};
    const TensorMap read = read_bytes(zip_bytes({pickle, {.name = "m/x", .data = filler}, number}));
    EXPECT_EQ(read.at("a").item<float>(), 1.5F);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(read.at("a").const_data_ptr()) % 4, 0U);
  }
}

TEST(HostileZip, BytesAndBooleansOfOneStorageStayApart) {
  ZipRecord pickle = pickle_record();
  pickle.data = "\x80\x02}" + test::text("a") + tensor(storage("ByteStorage", 4), 0, {4}, {1}) +
                "s" + test::text("b") + tensor(storage("BoolStorage", 4), 0, {4}, {1}) + "s.";
  const TensorMap read = read_bytes(zip_bytes({pickle, storage_record()}));
  EXPECT_EQ(read.at("a").sum().item<int>(), 10);
  EXPECT_EQ(read.at("b").sum().item<int>(), 4);
}

TEST(HostileZip, WritingIntoATensorLeavesTheFileAlone) {
  const test::TemporaryFolder folder;
  write_file(folder / "a.pth", zip_bytes({pickle_record(), storage_record()}));
  const std::string before = read_file(folder / "a.pth");
  read_torch_zip(folder / "a.pth").at("a").fill_(9);
  EXPECT_EQ(read_file(folder / "a.pth"), before);
}

TEST(HostileZip, WhatIsNotNeededMayBeAnything) {
  const ZipRecord bomb{.name = "m/version", .data = "x", .method = 8, .size_off_by = 1ULL << 60};
  EXPECT_EQ(read_bytes(zip_bytes({pickle_record(), storage_record(), bomb})).size(), 1U);
}

struct HostileArchive {
  std::string reason;
  std::string bytes;
};

std::vector<HostileArchive> hostile_archives() {
  const auto storage_with = [](const std::function<void(ZipRecord&)>& change) {
    return zip_bytes({pickle_record(), storage_record(change)});
  };
  return {
      {"lacks the end of a zip archive", "PK"},
      {"lacks the end of a zip archive", std::string(100'000, 'P')},
      {"beyond the end of the file", "PK\5\6"},
      {"has no 'data.pkl'", zip_bytes({})},
      {"has no 'data.pkl'", zip_bytes({storage_record()})},
      {"has no 'data.pkl'",
       zip_bytes({{.name = "elsewhere/x", .data = ""}, pickle_record(), storage_record()})},
      {"has no 'data/0'", zip_bytes({pickle_record()})},
      {"two records are named 'm/data/0'",
       zip_bytes({pickle_record(), storage_record(), storage_record()})},
      {"'data/0' is compressed", storage_with([](auto& record) { record.method = 8; })},
      {"'data/0' is compressed", storage_with([](auto& record) { record.flags = 1; })},
      {"more bytes than the file has",
       storage_with([](auto& record) { record.size_off_by = 1ULL << 40; })},
      {"more bytes than the file has",
       storage_with([](auto& record) { record.size_off_by = ~std::uint64_t{0} - 4; })},
      {"reaches beyond the end of the file",
       storage_with([](auto& record) { record.size_off_by = 300; })},
      {"beyond the end of the file",
       storage_with([](auto& record) { record.header_off_by = 1ULL << 40; })},
      {"beyond the end of the file",
       storage_with([](auto& record) { record.header_off_by = ~std::uint64_t{0} - 1000; })},
      {"a header is not where another one says",
       storage_with([](auto& record) { record.header_off_by = 1; })},
      {"table of contents is cut off", zip_bytes({pickle_record(), storage_record()}, 1ULL << 32)},
      {"table of contents is cut off",
       "PK\5\6" + std::string(4, '\0') + std::string("\1\0\1\0", 4) + std::string(10, '\0')},
  };
}

TEST(HostileZip, IsRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder / "hostile.pth";
  for (const auto& [reason, bytes] : hostile_archives()) {
    SCOPED_TRACE(reason);
    write_file(path, bytes);
    expect_weights_error(path, reason, [&] { read_torch_zip(path); });
  }
}

}  // namespace
}  // namespace leaf::io
