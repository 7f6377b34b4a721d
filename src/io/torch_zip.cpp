#include "leaf/io/torch_zip.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>
#include <caffe2/serialize/inline_container.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "pickle.h"
#include "weight_file.h"

// A checkpoint of torch.save: a zip archive with data.pkl, the pickled objects, and data/KEY, the
// bytes of each storage.
namespace leaf::io {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestPickle = 64'000'000;
constexpr int kDeepestDict = 32;
constexpr std::size_t kLongestName = 512;
constexpr std::size_t kMostTensors = 100'000;
constexpr std::size_t kMostEntries = 2'000'000;

/// The reader's records, bounded by what a file of its size can hold: archives of torch.save are
/// not compressed, so that anything larger was made to exhaust memory.
class Archive {
 public:
  explicit Archive(const fs::path& path)
      : path_(path), bytes_left_(weight_file_size(path)), reader_(path.string()) {}

  struct Record {
    at::DataPtr data;
    std::size_t size;
  };

  bool has(const std::string& name) { return reader_.hasRecord(name); }

  Record read(const std::string& name) {
    if (!has(name)) {
      bad_weights(path_, str("the archive has no '", printable(name), "'"));
    }
    const std::uint64_t size = reader_.getRecordSize(name);
    if (size > bytes_left_) {
      bad_weights(path_, str("'", printable(name),
                             "' is larger than the file (compressed archives "
                             "are not supported)"));
    }
    bytes_left_ -= size;
    auto [data, read] = reader_.getRecord(name);
    return {std::move(data), read};
  }

  std::string read_text(const std::string& name) {
    if (has(name) && reader_.getRecordSize(name) > kLargestPickle) {
      bad_weights(path_, str("'", printable(name), "' is too large"));
    }
    const Record record = read(name);
    return {static_cast<const char*>(record.data.get()), record.size};
  }

 private:
  const fs::path& path_;
  std::uint64_t bytes_left_;
  caffe2::serialize::PyTorchStreamReader reader_;
};

using Found = std::map<std::string, const pickle::Tensor*>;

/// Names of the tensors in nested dictionaries.
class Collector {
 public:
  Collector(const pickle::Pickle& content, const fs::path& path) : content_(content), path_(path) {}

  Found run() {
    const auto* const top = as_dict(content_.root);
    if (top) {
      const pickle::Dict* const lightning = state_dict_of(*top);
      visit(lightning ? *lightning : *top, "", 0);
    }
    if (found_.empty()) {
      bad_weights(path_, "it holds no dictionary of tensors" + foreign_text());
    }
    return std::move(found_);
  }

 private:
  const pickle::Dict* as_dict(pickle::Ref ref) const {
    return std::get_if<pickle::Dict>(&content_.values[ref]);
  }

  const pickle::Dict* state_dict_of(const pickle::Dict& dict) const {
    for (const auto& [key, value] : dict.items) {
      const auto* const name = std::get_if<std::string>(&content_.values[key]);
      if (name && *name == "state_dict" && as_dict(value)) {
        return as_dict(value);
      }
    }
    return nullptr;
  }

  void visit(const pickle::Dict& dict, const std::string& prefix, int depth) {
    if (depth > kDeepestDict) {
      bad_weights(path_, "its dictionaries nest too deeply");
    }
    for (const auto& [key, value] : dict.items) {
      if (++visited_ > kMostEntries) {
        bad_weights(path_, "its dictionaries have too many entries");
      }
      const auto* const nested = as_dict(value);
      const auto* const tensor = std::get_if<pickle::Tensor>(&content_.values[value]);
      const auto name = nested || tensor ? entry_name(key) : std::nullopt;
      if (name && nested) {
        visit(*nested, full_name(prefix, *name) + ".", depth + 1);
      } else if (name) {
        add(full_name(prefix, *name), *tensor);
      }
    }
  }

  std::string full_name(const std::string& prefix, const std::string& name) const {
    std::string full = prefix + name;
    if (full.size() > kLongestName) {
      bad_weights(path_, str("the name '", printable(full), "' is too long"));
    }
    return full;
  }

  void add(const std::string& name, const pickle::Tensor& tensor) {
    if (found_.size() >= kMostTensors) {
      bad_weights(path_, "it has too many tensors");
    }
    if (!found_.emplace(name, &tensor).second) {
      bad_weights(path_, str("two tensors are named '", printable(name), "'"));
    }
  }

  std::optional<std::string> entry_name(pickle::Ref key) const {
    const pickle::Value& value = content_.values[key];
    if (const auto* const text = std::get_if<std::string>(&value)) {
      return text->substr(0, kLongestName + 1);
    }
    if (const auto* const number = std::get_if<std::int64_t>(&value)) {
      return std::to_string(*number);
    }
    return std::nullopt;
  }

  std::string foreign_text() const {
    const auto& names = content_.foreign;
    if (names.empty()) {
      return "";
    }
    const std::vector<std::string> shown(
        names.begin(), std::next(names.begin(), std::min<long>(3, std::ssize(names))));
    return str(" but objects that only Python could make (", printable(join(shown, ", ")),
               "): save model.state_dict() instead");
  }

  const pickle::Pickle& content_;
  const fs::path& path_;
  Found found_;
  std::size_t visited_ = 0;
};

/// Turns descriptions into tensors; tensors of one storage share it.
class Builder {
 public:
  Builder(Archive& archive, const fs::path& path) : archive_(archive), path_(path) {}

  at::Tensor build(const std::string& name, const pickle::Tensor& tensor) {
    const at::Storage& storage = load(tensor.storage);
    check(name, tensor, storage.nbytes());
    at::Tensor view = at::empty({0}, tensor.storage.dtype);
    view.set_(storage, tensor.offset, tensor.sizes, tensor.strides);
    return view;
  }

 private:
  const at::Storage& load(const pickle::Storage& wanted) {
    const auto key = std::make_pair(wanted.key, wanted.dtype);
    const auto known = storages_.find(key);
    if (known != storages_.end()) {
      return known->second;
    }
    auto [data, size] = archive_.read("data/" + wanted.key);
    if (wanted.dtype == at::kBool) {
      // Bytes other than 0 and 1 would be undefined behaviour in a bool tensor.
      auto* const bytes = static_cast<std::uint8_t*>(data.get());
      std::transform(bytes, bytes + size, bytes, [](auto byte) { return byte != 0 ? 1 : 0; });
    }
    at::Storage storage(at::Storage::use_byte_size_t(), size, std::move(data), nullptr, false);
    return storages_.emplace(key, std::move(storage)).first->second;
  }

  void check(const std::string& name, const pickle::Tensor& tensor, std::size_t bytes) const {
    const auto stored = static_cast<std::int64_t>(bytes / c10::elementSize(tensor.storage.dtype));
    if (tensor.storage.count < 0 || tensor.storage.count > stored) {
      bad_weights(path_, str("the storage of tensor '", printable(name), "' is truncated"));
    }
    const auto end = end_of(tensor);
    if (!end || *end > stored) {
      bad_weights(path_, str("tensor '", printable(name), "' of shape ",
                             printable(shape_text(tensor.sizes)), " reaches beyond its storage"));
    }
  }

  /// One past the last element that the tensor touches in its storage; nothing when that is
  /// nonsense.
  static std::optional<std::int64_t> end_of(const pickle::Tensor& tensor) {
    constexpr std::size_t kMostDimensions = 64;
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

  Archive& archive_;
  const fs::path& path_;
  std::map<std::pair<std::string, at::ScalarType>, at::Storage> storages_;
};

/// The first sentence of LibTorch's message, without source position, backtrace and advice.
std::string first_sentence(const c10::Error& error) {
  std::string text = error.what_without_backtrace();
  if (const auto position = text.find("] . "); position != std::string::npos) {
    text.erase(0, position + 4);
  }
  text.resize(std::min({text.size(), text.find('\n'), text.find(". ")}));
  return printable(text);
}

TensorMap read_archive(const fs::path& path) {
  Archive archive(path);
  if (archive.has("byteorder") && archive.read_text("byteorder") != "little") {
    bad_weights(path, "its numbers are big-endian");
  }
  const pickle::Pickle content = pickle::parse(archive.read_text("data.pkl"), path);
  TensorMap tensors;
  Builder builder(archive, path);
  for (const auto& [name, tensor] : Collector(content, path).run()) {
    tensors.emplace(name, builder.build(name, *tensor));
  }
  for (const auto& name : content.foreign) {
    log::debug(str(path.string(), ": passed over ", printable(name)));
  }
  return tensors;
}

}  // namespace

TensorMap read_torch_zip(const fs::path& path) {
  try {
    return read_archive(path);
  } catch (const c10::Error& error) {
    bad_weights(path, str("damaged, or not a PyTorch checkpoint (", first_sentence(error), ")"));
  } catch (const std::bad_alloc&) {
    bad_weights(path, "not enough memory");
  }
}

}  // namespace leaf::io
