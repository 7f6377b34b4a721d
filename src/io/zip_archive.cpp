#include "zip_archive.h"

#include <algorithm>
#include <cstring>

#include "leaf/core/strings.h"

// The layout is that of APPNOTE.TXT, section 4.3: local headers with data, the central directory,
// and at the end of the file where that is, in a 32-bit and, for large files, a 64-bit form.
namespace leaf::io {
namespace {

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kEntry = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;

constexpr std::uint64_t kLocalHeaderBytes = 30;
constexpr std::uint64_t kEntryBytes = 46;
constexpr std::uint64_t kEndBytes = 22;
constexpr std::uint64_t kLocator64Bytes = 20;
constexpr std::uint64_t kLongestComment = 65535;
constexpr std::uint64_t kIn64BitForm = 0xffffffff;
constexpr std::uint64_t kExtra64 = 1;

constexpr std::uint64_t kMostRecords = 1'000'000;

}  // namespace

ZipArchive::ZipArchive(const std::filesystem::path& path)
    : path_(path), file_(MappedFile::open(path)) {
  const Contents contents = find_contents();
  std::uint64_t entry = contents.begin;
  for (std::uint64_t i = 0; i < contents.count; ++i) {
    expect_signature(entry, kEntry);
    const std::uint64_t name = entry + kEntryBytes;
    const std::uint64_t extra = name + number<std::uint16_t>(entry + 28);
    const std::uint64_t comment = extra + number<std::uint16_t>(entry + 30);
    const std::uint64_t next = comment + number<std::uint16_t>(entry + 32);
    if (next > contents.end) {
      damaged("its table of contents is cut off");
    }
    add({file_->data() + name, extra - name}, read_record(entry, extra, comment));
    entry = next;
  }
}

std::optional<std::span<char>> ZipArchive::find(const std::string& name) const {
  const auto found = records_.find(folder_ + name);
  if (found == records_.end()) {
    return std::nullopt;
  }
  const Record& record = found->second;
  if (!record.is_plain) {
    bad_weights(path_, str("'", printable(name), "' is compressed or encrypted: save it with ",
                           "torch.save again"));
  }
  expect_signature(record.header, kLocalHeader);
  const std::uint64_t data = record.header + kLocalHeaderBytes +
                             number<std::uint16_t>(record.header + 26) +
                             number<std::uint16_t>(record.header + 28);
  if (data > file_->size() || record.size > file_->size() - data) {
    damaged(str("'", printable(name), "' reaches beyond the end of the file"));
  }
  return std::span(file_->data() + data, record.size);
}

void ZipArchive::damaged(std::string_view reason) const {
  bad_weights(path_, str("damaged, or not a PyTorch checkpoint (", reason, ")"));
}

template <typename Number>
std::uint64_t ZipArchive::number(std::uint64_t position) const {
  if (position > file_->size() || sizeof(Number) > file_->size() - position) {
    damaged("a position beyond the end of the file");
  }
  Number value;
  std::memcpy(&value, file_->data() + position, sizeof(value));
  return value;
}

void ZipArchive::expect_signature(std::uint64_t position, std::uint32_t signature) const {
  if (number<std::uint32_t>(position) != signature) {
    damaged("a header is not where another one says");
  }
}

/// Where the record at the end of the archive begins; a comment may follow it.
std::uint64_t ZipArchive::find_end() const {
  const std::uint64_t tail = std::min(file_->size(), kEndBytes + kLongestComment);
  const std::string_view text(file_->data() + file_->size() - tail, tail);
  char signature[sizeof(kEnd)];
  std::memcpy(signature, &kEnd, sizeof(kEnd));
  const auto found = text.rfind({signature, sizeof(signature)});
  if (found == std::string_view::npos) {
    damaged("it lacks the end of a zip archive");
  }
  return file_->size() - tail + found;
}

ZipArchive::Contents ZipArchive::find_contents() const {
  const std::uint64_t end = find_end();
  std::uint64_t count = number<std::uint16_t>(end + 10);
  std::uint64_t size = number<std::uint32_t>(end + 12);
  std::uint64_t begin = number<std::uint32_t>(end + 16);
  if (end >= kLocator64Bytes && number<std::uint32_t>(end - kLocator64Bytes) == kLocator64) {
    const std::uint64_t end64 = number<std::uint64_t>(end - kLocator64Bytes + 8);
    expect_signature(end64, kEnd64);
    count = number<std::uint64_t>(end64 + 32);
    size = number<std::uint64_t>(end64 + 40);
    begin = number<std::uint64_t>(end64 + 48);
  }
  if (begin > end || size > end - begin || count > size / kEntryBytes) {
    damaged("its table of contents is cut off");
  }
  if (count > kMostRecords) {
    damaged("it has too many records");
  }
  return {count, begin, begin + size};
}

/// The record that the table of contents lists at `entry`, whose extra fields are given.
ZipArchive::Record ZipArchive::read_record(std::uint64_t entry, std::uint64_t extra,
                                           std::uint64_t extra_end) const {
  const bool is_encrypted = (number<std::uint16_t>(entry + 8) & 1) != 0;
  const bool is_stored = number<std::uint16_t>(entry + 10) == 0;
  std::uint64_t stored_size = number<std::uint32_t>(entry + 20);
  std::uint64_t size = number<std::uint32_t>(entry + 24);
  std::uint64_t header = number<std::uint32_t>(entry + 42);
  while (extra_end - extra >= 4) {
    const std::uint64_t kind = number<std::uint16_t>(extra);
    std::uint64_t field = extra + 4;
    extra = std::min(extra_end, field + number<std::uint16_t>(extra + 2));
    for (std::uint64_t* const value : {&size, &stored_size, &header}) {
      if (kind == kExtra64 && *value == kIn64BitForm && field + 8 <= extra) {
        *value = number<std::uint64_t>(field);
        field += 8;
      }
    }
  }
  // Headers are sought in the file: a position near 2^64 must not wrap around.
  if (header > file_->size()) {
    damaged("a position beyond the end of the file");
  }
  return {header, size, is_stored && !is_encrypted && stored_size == size};
}

void ZipArchive::add(std::string_view name, const Record& record) {
  if (records_.empty()) {
    folder_ = name.substr(0, name.find('/') + 1);  // nothing where there is no folder
  }
  // No two of torch.save's records share bytes: what is copied out of them stays within the file's
  // size.
  claimed_bytes_ += record.is_plain ? std::min(record.size, file_->size() + 1) : 0;
  if (claimed_bytes_ > file_->size()) {
    damaged("its records claim more bytes than the file has");
  }
  if (!records_.emplace(name, record).second) {
    damaged(str("two records are named '", printable(name), "'"));
  }
}

}  // namespace leaf::io
