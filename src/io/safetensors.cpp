#include "leaf/io/safetensors.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include "json_util.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "weight_file.h"

// A safetensors file: 8 bytes with the length of the header, the header (a JSON object: name ->
// dtype, shape, data_offsets), then the data of all tensors, row-major, without gaps.
namespace leaf::io {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Strings = std::map<std::string, std::string>;

static_assert(std::endian::native == std::endian::little,
              "the format stores little-endian numbers");

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kLongestHeader = 100'000'000;
constexpr std::size_t kMostDimensions = 64;
constexpr const char* kMetadataKey = "__metadata__";

struct DtypeName {
  std::string_view name;
  at::ScalarType dtype;
};
constexpr std::array<DtypeName, 10> kDtypes{{{"F64", at::kDouble},
                                             {"F32", at::kFloat},
                                             {"F16", at::kHalf},
                                             {"BF16", at::kBFloat16},
                                             {"I64", at::kLong},
                                             {"I32", at::kInt},
                                             {"I16", at::kShort},
                                             {"I8", at::kChar},
                                             {"U8", at::kByte},
                                             {"BOOL", at::kBool}}};

/// One tensor as the header describes it; offsets count from the start of the data.
struct Entry {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// --- reading ---

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

at::Tensor make_tensor(const Entry& entry, char* data, const std::shared_ptr<MappedFile>& file) {
  if (entry.begin == entry.end) {
    return at::empty(entry.shape, entry.dtype);
  }
  char* const first = data + entry.begin;
  if (entry.dtype == at::kBool) {
    // Bytes other than 0 and 1 would be undefined behaviour in a bool tensor.
    return at::from_blob(first, entry.shape, at::kByte).ne(0);
  }
  if (reinterpret_cast<std::uintptr_t>(first) % c10::elementSize(entry.dtype) != 0) {
    at::Tensor copy = at::empty(entry.shape, entry.dtype);
    std::memcpy(copy.mutable_data_ptr(), first, entry.end - entry.begin);
    return copy;
  }
  return at::from_blob(
      first, entry.shape, [file](void*) {}, entry.dtype);
}

// --- writing ---

/// Checked writing to a file descriptor; `path` is the name that messages give.
class Output {
 public:
  Output(const fs::path& file, const fs::path& path) : path_(path) {
    descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    check(descriptor_ >= 0);
  }
  ~Output() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(const void* data, std::size_t size) {
    const char* next = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(descriptor_, next, size);
      if (written < 0 && errno == EINTR) {
        continue;
      }
      check(written >= 0);
      next += written;
      size -= static_cast<std::size_t>(written);
    }
  }

  void close() {
    check(::fsync(descriptor_) == 0);
    const int descriptor = std::exchange(descriptor_, -1);
    check(::close(descriptor) == 0);
  }

 private:
  void check(bool fine) const {
    if (!fine) {
      throw FileError(str("cannot write '", path_.string(), "': ", std::strerror(errno)));
    }
  }

  const fs::path& path_;
  int descriptor_ = -1;
};

std::string_view dtype_name(const std::string& name, const at::Tensor& tensor) {
  const auto* const found =
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const DtypeName& known) {
        return tensor.defined() && known.dtype == tensor.scalar_type();
      });
  if (found == kDtypes.end()) {
    throw WeightsError(str("cannot store tensor '", printable(name), "' in a safetensors file: ",
                           tensor.defined() ? c10::toString(tensor.scalar_type()) : "undefined"));
  }
  return found->name;
}

/// Wide items first, then by name, so that everything in the file is aligned for its type.
std::vector<TensorMap::const_iterator> storage_order(const TensorMap& tensors) {
  std::vector<TensorMap::const_iterator> order;
  for (auto it = tensors.begin(); it != tensors.end(); ++it) {
    if (it->first == kMetadataKey) {
      throw WeightsError(str("no tensor of a safetensors file can be named '", kMetadataKey, "'"));
    }
    dtype_name(it->first, it->second);
    order.push_back(it);
  }
  std::stable_sort(order.begin(), order.end(), [](auto a, auto b) {
    return a->second.element_size() > b->second.element_size();
  });
  return order;
}

std::string make_header(const std::vector<TensorMap::const_iterator>& order, Strings metadata) {
  metadata.emplace("format", "pt");
  Json header = {{kMetadataKey, metadata}};
  std::uint64_t position = 0;
  for (const auto& item : order) {
    const auto& [name, tensor] = *item;
    const std::uint64_t end = position + tensor.nbytes();
    header[name] = {{"dtype", dtype_name(name, tensor)},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception& error) {
    throw WeightsError(
        str("cannot store these names in a safetensors file: ", printable(error.what())));
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

TensorMap read_safetensors(const fs::path& path) {
  const auto file = MappedFile::open(path);
  const std::string_view text = header_text(*file, path);
  const std::uint64_t data_start = kLengthBytes + text.size();
  TensorMap tensors;
  for (const auto& entry :
       parse_entries(parse_json_object(text, path), file->size() - data_start, path)) {
    tensors.emplace(entry.name, make_tensor(entry, file->data() + data_start, file));
  }
  return tensors;
}

Strings read_safetensors_metadata(const fs::path& path) {
  const auto file = MappedFile::open(path);
  const Json header = parse_json_object(header_text(*file, path), path);
  Strings metadata;
  if (!header.contains(kMetadataKey)) {
    return metadata;
  }
  for (const auto& [key, value] : header[kMetadataKey].items()) {
    if (!value.is_string()) {
      bad_weights(path, str("its metadata '", printable(key), "' is not a string"));
    }
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

void write_safetensors(const fs::path& path, const TensorMap& tensors, const Strings& metadata) {
  const auto order = storage_order(tensors);
  const std::string header = make_header(order, metadata);
  const std::uint64_t length = header.size();
  replace_file(path, [&](const fs::path& temporary) {
    Output out(temporary, path);
    out.write(&length, kLengthBytes);
    out.write(header.data(), header.size());
    for (const auto& item : order) {
      const at::Tensor plain = item->second.detach().to(at::kCPU).contiguous();
      out.write(plain.const_data_ptr(), plain.nbytes());
    }
    out.close();
  });
}

}  // namespace leaf::io
