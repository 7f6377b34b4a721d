#include "io/torch_zip.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "checkpoint_names.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "pickle.h"
#include "weight_file.h"
#include "zip_archive.h"

// A checkpoint of torch.save: a zip archive with data.pkl, the pickled objects, and data/KEY, the
// bytes of each storage. An archive of torch.jit.save has code/ and constants besides, which stay
// unread.
namespace leaf::io {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestPickle = 64'000'000;
/// Wide enough for every type of ours; torch.save aligns storages to 64 bytes.
constexpr std::size_t kStorageAlignment = 8;

std::span<char> read_record(const ZipArchive& archive, const std::string& name,
                            const fs::path& path) {
  const auto record = archive.find(name);
  if (!record) {
    bad_weights(path, str("the archive has no '", printable(name), "'"));
  }
  return *record;
}

std::string_view text_of(std::span<char> record) { return {record.data(), record.size()}; }

/// Turns descriptions into tensors; tensors of one storage share it.
class Builder {
 public:
  Builder(const ZipArchive& archive, const fs::path& path)
      : archive_(archive), path_(path), bytes_left_(4 * archive.file()->size() + kSpareBytes) {}

  at::Tensor build(const std::string& name, const pickle::Tensor& tensor) {
    const at::Storage& storage = load(tensor);
    check(name, tensor, storage.nbytes());
    at::Tensor view = at::empty({0}, tensor.dtype);
    view.set_(storage, tensor.offset, tensor.sizes, tensor.strides);
    return view;
  }

 private:
  static constexpr std::uint64_t kSpareBytes = 64'000'000;

  const at::Storage& load(const pickle::Tensor& wanted) {
    const bool is_bool = wanted.dtype == at::kBool;
    const auto key = std::make_pair(wanted.storage.key, is_bool);
    const auto known = storages_.find(key);
    if (known != storages_.end()) {
      return known->second;
    }
    const auto bytes = read_record(archive_, "data/" + wanted.storage.key, path_);
    const at::Tensor whole = file_tensor(archive_.file(), bytes.data(), std::ssize(bytes),
                                         is_bool ? at::kBool : at::kByte, kStorageAlignment);
    return storages_.emplace(key, whole.storage()).first->second;
  }

  void check(const std::string& name, const pickle::Tensor& tensor, std::size_t bytes) {
    const auto& storage = tensor.storage;
    const auto stored_as = storage.dtype.value_or(at::kByte);
    const auto item = static_cast<std::int64_t>(c10::elementSize(stored_as));
    if (storage.count < 0 || storage.count > static_cast<std::int64_t>(bytes) / item) {
      bad_weights(path_, str("the storage of tensor '", printable(name), "' is truncated"));
    }
    const auto item_size = static_cast<std::int64_t>(c10::elementSize(tensor.dtype));
    const auto end = end_of(tensor);
    if (!end || *end > static_cast<std::int64_t>(bytes) / item_size) {
      bad_weights(path_, str("tensor '", printable(name), "' of shape ",
                             printable(shape_text(tensor.sizes)), " reaches beyond its storage"));
    }
    charge(name, *element_count(tensor.sizes), item_size);
  }

  /// Views may show a number any number of times; whoever copies them pays for each. No checkpoint
  /// has many such views.
  void charge(const std::string& name, std::int64_t count, std::int64_t item_size) {
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, item_size, &bytes) || bytes > bytes_left_) {
      bad_weights(path_, str("tensor '", printable(name), "' repeats few numbers too often"));
    }
    bytes_left_ -= bytes;
  }

  /// One past the last element that the tensor touches in its storage; nothing when that is
  /// nonsense.
  static std::optional<std::int64_t> end_of(const pickle::Tensor& tensor) {
    const auto count = element_count(tensor.sizes);
    if (!count || tensor.offset < 0 || tensor.sizes.size() != tensor.strides.size() ||
        tensor.sizes.size() > kMostDimensions) {
      return std::nullopt;
    }
    std::int64_t last = tensor.offset;
    for (std::size_t i = 0; i < tensor.sizes.size(); ++i) {
      std::int64_t step = 0;
      if (tensor.strides[i] < 0 ||
          __builtin_mul_overflow(std::max<std::int64_t>(tensor.sizes[i] - 1, 0), tensor.strides[i],
                                 &step) ||
          __builtin_add_overflow(last, step, &last)) {
        return std::nullopt;
      }
    }
    return *count == 0 ? tensor.offset
                       : (last == INT64_MAX ? std::nullopt : std::optional(last + 1));
  }

  const ZipArchive& archive_;
  const fs::path& path_;
  std::uint64_t bytes_left_;
  std::map<std::pair<std::string, bool>, at::Storage> storages_;
};

void report_passed_over(const pickle::Pickle& content, const NamedTensors& tensors,
                        const fs::path& path) {
  if (tensors.passed_over_count > 0) {
    const bool all_shown = tensors.passed_over.size() == tensors.passed_over_count;
    log::warn(str(path.string(),
                  ": tensors of unsupported types passed over: ", tensors.passed_over_count, " (",
                  join(tensors.passed_over, ", "), all_shown ? ")" : ", ...)"));
  }
  for (const auto& name : content.foreign) {
    log::debug(str(path.string(), ": passed over ", printable(name)));
  }
}

TensorMap read_archive(const fs::path& path) {
  const ZipArchive archive(path);
  const auto order = archive.find("byteorder");
  if (order && text_of(*order) != "little") {
    bad_weights(path, "its numbers are big-endian");
  }
  const std::string_view text = text_of(read_record(archive, "data.pkl", path));
  if (text.size() > kLargestPickle) {
    bad_weights(path, "'data.pkl' is too large");
  }
  const pickle::Pickle content = pickle::parse(text, path);
  const NamedTensors named = name_tensors(content, path);
  TensorMap tensors;
  Builder builder(archive, path);
  for (const auto& [name, tensor] : named.found) {
    tensors.emplace(name, builder.build(name, *tensor));
  }
  report_passed_over(content, named, path);
  return tensors;
}

}  // namespace

TensorMap read_torch_zip(const fs::path& path) {
  try {
    return read_archive(path);
  } catch (const c10::Error& error) {
    bad_weights(path, str("damaged (", printable(error.what_without_backtrace()), ")"));
  } catch (const std::bad_alloc&) {
    bad_weights(path, "not enough memory");
  }
}

}  // namespace leaf::io
