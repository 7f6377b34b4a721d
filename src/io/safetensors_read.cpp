#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "json_util.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "safetensors_format.h"
#include "weight_file.h"

namespace leaf::io {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::uint64_t kLongestHeader = 100'000'000;

/// One tensor as the header describes it; offsets count from the start of the data.
struct Entry {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

std::string_view header_text(const MappedFile& file, const fs::path& path) {
  std::uint64_t length = 0;
  if (file.size() < kLengthBytes) {
    bad_weights(path, str("it is truncated (", file.size(), " bytes)"));
  }
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kLongestHeader) {
    bad_weights(path, "not a safetensors file (its header would be longer than 100 MB)");
  }
  if (length > file.size() - kLengthBytes) {
    bad_weights(path,
                str("it is truncated: the header has ", length, " bytes, the file ", file.size()));
  }
  return {file.data() + kLengthBytes, length};
}

at::ScalarType parse_dtype(const Json& value, const std::string& where, const fs::path& path) {
  if (!value.is_string()) {
    bad_weights(path, where + ": dtype is not a string");
  }
  const auto& name = value.get_ref<const std::string&>();
  const auto* const found = std::find_if(
      kDtypes.begin(), kDtypes.end(), [&](const DtypeName& known) { return known.name == name; });
  if (found == kDtypes.end()) {
    bad_weights(path, str(where, ": unsupported dtype '", printable(name), "'"));
  }
  return found->dtype;
}

/// A list of integers in [0, 2^63).
std::vector<std::int64_t> parse_naturals(const Json& list, const std::string& where,
                                         const fs::path& path) {
  if (!list.is_array() || list.size() > kMostDimensions) {
    bad_weights(path, where + ": not a short list of numbers");
  }
  std::vector<std::int64_t> numbers;
  for (const auto& item : list) {
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > INT64_MAX) {
      bad_weights(path, where + ": not a whole number, or too large");
    }
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

Entry parse_entry(const std::string& name, const Json& fields, const fs::path& path) {
  if (name.size() > kLongestName) {
    bad_weights(path, str("the name '", printable(name), "' is too long"));
  }
  const std::string where = str("tensor '", printable(name), "'");
  if (!fields.is_object() || !fields.contains("dtype") || !fields.contains("shape") ||
      !fields.contains("data_offsets")) {
    bad_weights(path, where + ": needs dtype, shape and data_offsets");
  }
  Entry entry;
  entry.name = name;
  entry.dtype = parse_dtype(fields["dtype"], where, path);
  entry.shape = parse_naturals(fields["shape"], where + ": shape", path);
  const auto offsets = parse_naturals(fields["data_offsets"], where + ": data_offsets", path);
  if (offsets.size() != 2 || offsets[0] > offsets[1]) {
    bad_weights(path, where + ": data_offsets must be a begin and an end");
  }
  entry.begin = static_cast<std::uint64_t>(offsets[0]);
  entry.end = static_cast<std::uint64_t>(offsets[1]);

  const auto count = element_count(entry.shape);
  const auto item_size = static_cast<std::int64_t>(c10::elementSize(entry.dtype));
  std::int64_t bytes = 0;
  if (!count || __builtin_mul_overflow(*count, item_size, &bytes)) {
    bad_weights(path, str(where, ": shape ", shape_text(entry.shape), " is too large"));
  }
  if (bytes != offsets[1] - offsets[0]) {
    bad_weights(path, str(where, ": shape ", shape_text(entry.shape), " needs ", bytes,
                          " bytes, data_offsets give ", offsets[1] - offsets[0]));
  }
  return entry;
}

/// Entries in the order of their data, which must fill `data_bytes` without holes or overlaps.
std::vector<Entry> parse_entries(const Json& header, std::uint64_t data_bytes,
                                 const fs::path& path) {
  std::vector<Entry> entries;
  for (const auto& [name, fields] : header.items()) {
    if (name != kMetadataKey) {
      entries.push_back(parse_entry(name, fields, path));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t position = 0;
  for (const auto& entry : entries) {
    if (entry.end > data_bytes) {
      bad_weights(path, str("it is truncated: tensor '", printable(entry.name), "' ends at byte ",
                            entry.end, " of ", data_bytes));
    }
    if (entry.begin != position) {
      bad_weights(path, str("tensor '", printable(entry.name), "' begins at byte ", entry.begin,
                            " where ", position, " was expected (a hole or an overlap)"));
    }
    position = entry.end;
  }
  if (position != data_bytes) {
    bad_weights(path, str(data_bytes - position, " bytes after the last tensor"));
  }
  return entries;
}

}  // namespace

TensorMap read_safetensors(const fs::path& path) {
  const auto file = MappedFile::open(path);
  const std::string_view text = header_text(*file, path);
  const std::uint64_t data_start = kLengthBytes + text.size();
  TensorMap tensors;
  for (const auto& entry :
       parse_entries(parse_json_object(text, path), file->size() - data_start, path)) {
    tensors.emplace(entry.name,
                    file_tensor(file, file->data() + data_start + entry.begin, entry.shape,
                                entry.dtype, c10::elementSize(entry.dtype)));
  }
  return tensors;
}

}  // namespace leaf::io
