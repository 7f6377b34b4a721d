#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "feature_store.h"
#include "growing_file.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kAlignment = 64;  // of records

constexpr std::string_view kFormat = "leaffea2";
constexpr std::size_t kMostTensors = 6;  // of a sample
constexpr std::size_t kMostDimensions = 3;

/// Shape and type of one of a sample's tensors; all 0 for one that is undefined.
struct TensorForm {
  std::int64_t dimensions = 0;
  std::int64_t sizes[kMostDimensions] = {};
  std::int64_t type = 0;  ///< at::ScalarType

  bool is_defined() const { return dimensions > 0; }
  at::IntArrayRef shape() const { return {sizes, static_cast<std::size_t>(dimensions)}; }
  at::ScalarType scalar_type() const { return static_cast<at::ScalarType>(type); }
  std::int64_t bytes() const {
    const auto element = static_cast<std::int64_t>(c10::elementSize(scalar_type()));
    return is_defined() ? c10::multiply_integers(shape()) * element : 0;
  }
};

/// The start of a file. It is written whole or not at all as far as anybody trusts it: `checksum`
/// covers what stands before it.
struct Header {
  Hash128 identity{};      ///< of the format and of what the values follow from
  std::int64_t count = 0;  ///< of a sample's tensors
  TensorForm tensors[kMostTensors] = {};
  std::uint64_t checksum = 0;
};
constexpr std::int64_t kHeaderBytes = 384;
static_assert(sizeof(Header) <= kHeaderBytes);

/// Before each record's values; `checksum` is of the key and the values.
struct RecordHead {
  FeatureKey key;
  std::uint64_t checksum;
  std::uint64_t unused;
};

std::uint64_t checksum_of(const Header& header) {
  return hash64({reinterpret_cast<const char*>(&header), offsetof(Header, checksum)});
}

bool is_storable(const Features& features) {
  return features.size() <= kMostTensors &&
         std::all_of(features.begin(), features.end(), [](const at::Tensor& tensor) {
           return !tensor.defined() ||
                  (tensor.dim() > 0 && tensor.dim() <= static_cast<std::int64_t>(kMostDimensions));
         });
}

TensorForm form_of(const at::Tensor& tensor) {
  TensorForm form;
  if (tensor.defined()) {
    form.dimensions = tensor.dim();
    std::copy_n(tensor.sizes().begin(), tensor.dim(), form.sizes);
    form.type = static_cast<std::int64_t>(tensor.scalar_type());
  }
  return form;
}

Header header_for(const Hash128& identity, const Features& features) {
  Header header;
  header.identity = identity;
  header.count = static_cast<std::int64_t>(features.size());
  std::transform(features.begin(), features.end(), header.tensors, form_of);
  header.checksum = checksum_of(header);
  return header;
}

/// What a file's records are made of.
class Layout {
 public:
  explicit Layout(const Header& header) : forms_(header.tensors, header.tensors + header.count) {}

  const std::vector<TensorForm>& forms() const { return forms_; }
  bool fits(const Features& features) const {
    return std::equal(forms_.begin(), forms_.end(), features.begin(), features.end(),
                      [](const TensorForm& form, const at::Tensor& tensor) {
                        return form.is_defined() == tensor.defined() &&
                               (!tensor.defined() || (form.shape() == tensor.sizes() &&
                                                      form.scalar_type() == tensor.scalar_type()));
                      });
  }
  std::int64_t value_bytes() const {
    std::int64_t bytes = 0;
    for (const TensorForm& form : forms_) {
      bytes += form.bytes();
    }
    return bytes;
  }
  std::int64_t record_bytes() const {
    const auto bytes = static_cast<std::int64_t>(sizeof(RecordHead)) + value_bytes();
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

 private:
  std::vector<TensorForm> forms_;
};

at::Tensor copied(const char*& from, const TensorForm& form) {
  if (!form.is_defined()) {
    return {};
  }
  at::Tensor tensor = at::empty(form.shape(), form.scalar_type());
  std::memcpy(tensor.mutable_data_ptr(), from, tensor.nbytes());
  from += tensor.nbytes();
  return tensor;
}

void append(std::string& bytes, const at::Tensor& tensor) {
  if (tensor.defined()) {
    bytes.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
  }
}

std::int64_t bytes_in(const fs::path& folder) {
  std::int64_t bytes = 0;
  for (const fs::path& file : list_folder(folder)) {
    std::error_code ignored;
    const auto size = fs::file_size(file, ignored);
    bytes += ignored ? 0 : static_cast<std::int64_t>(size);
  }
  return bytes;
}

/// A header and then records of one size, which are only ever appended, under a lock that ends with
/// the program that holds it. What a killed program left half-written at the end is overwritten by
/// the next record; whatever does not have its checksum is missing.
class FileStore : public FeatureStore {
 public:
  explicit FileStore(const FeatureFileOptions& options) : options_(options) {
    Hasher hasher;
    hasher.add(kFormat);
    hasher.add(options.identity);
    identity_ = hasher.digest();
    path_ = options.folder / (hex_text(identity_) + ".features");
    guarded([&] {
      if (fs::exists(path_)) {
        open();
      }
    });
  }

  std::optional<Features> find(const FeatureKey& key) override {
    std::optional<Features> found;
    guarded([&] { found = read(key); });
    return found;
  }

  bool keep(const FeatureKey& key, const Features& features) override {
    bool kept = false;
    guarded([&] {
      if (!layout_) {
        open();
      }
      const GrowingFile::Lock lock(*file_);
      if (!layout_) {
        if (!is_storable(features)) {
          return;
        }
        write_header(header_for(identity_, features));
      }
      look_for_records();
      kept = places_.contains(key) || append_record(key, features);
    });
    return kept;
  }

  void start_anew() override {
    guarded([&] { remove_file(); });
  }

 private:
  /// A cache that fails is no reason to end a run.
  template <typename Action>
  void guarded(const Action& action) {
    try {
      if (usable_) {
        action();
      }
    } catch (const FileError& failure) {
      usable_ = false;
      log::warn(str("the feature cache is not used any more: ", failure.what()));
    }
  }

  /// Opens the file, making it where it is missing, and takes its layout from it. One that is not
  /// ours is put away first; programs that have it open keep what they have.
  void open() {
    file_.emplace(path_);
    places_.clear();
    seen_ = kHeaderBytes;
    if (file_->size() == 0) {
      return;  // new: the first record tells its layout
    }
    if (const auto header = read_header()) {
      layout_.emplace(*header);
      return;
    }
    log::warn(str("'", path_.string(), "' is damaged; started anew"));
    remove_file();
    file_.emplace(path_);
  }

  /// None where the file is not one that this program would have written.
  std::optional<Header> read_header() {
    const GrowingFile::Lock lock(*file_);  // nobody is in the middle of writing it
    if (file_->size() < kHeaderBytes) {
      return std::nullopt;
    }
    Header header;
    std::memcpy(&header, file_->at(0, kHeaderBytes), sizeof(header));
    const bool ours = header.checksum == checksum_of(header) && header.identity == identity_;
    return ours ? std::optional(header) : std::nullopt;
  }

  void remove_file() {
    std::error_code ignored;
    fs::remove(path_, ignored);
    file_.reset();
    layout_.reset();
    places_.clear();
  }

  /// Under the lock. Another program may have been faster.
  void write_header(const Header& header) {
    if (file_->size() < kHeaderBytes) {
      std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
      bytes.resize(kHeaderBytes, '\0');
      file_->write(0, bytes);
    }
    layout_.emplace(header);
  }

  /// Notes the records that have come since the last time.
  void look_for_records() {
    const std::int64_t bytes = layout_->record_bytes();
    const std::int64_t size = file_->size();
    if (size < seen_) {  // cut short by somebody
      places_.clear();
      seen_ = kHeaderBytes;
    }
    for (; seen_ + bytes <= size; seen_ += bytes) {
      RecordHead head{};
      std::memcpy(&head, file_->at(seen_, sizeof(head)), sizeof(head));
      places_[head.key] = seen_;
    }
  }

  std::uint64_t checksum(const FeatureKey& key, std::string_view values) const {
    return hash64(values) ^ hash64({reinterpret_cast<const char*>(key.data()), sizeof(key)});
  }

  std::optional<Features> read(const FeatureKey& key) {
    if (!layout_) {
      return std::nullopt;
    }
    auto place = places_.find(key);
    if (place == places_.end() || file_->size() < seen_) {
      look_for_records();
      place = places_.find(key);
    }
    if (place == places_.end()) {
      return std::nullopt;
    }
    const char* record = file_->at(place->second, layout_->record_bytes());
    RecordHead head{};
    std::memcpy(&head, record, sizeof(head));
    const char* values = record + sizeof(head);
    const auto bytes = static_cast<std::size_t>(layout_->value_bytes());
    if (head.key != key || head.checksum != checksum(key, {values, bytes})) {
      places_.erase(place);  // to be computed and appended once more
      return std::nullopt;
    }
    Features features;
    for (const TensorForm& form : layout_->forms()) {
      features.push_back(copied(values, form));
    }
    return features;
  }

  /// Under the lock; false where there is no room for it, or its form is not the file's.
  bool append_record(const FeatureKey& key, const Features& features) {
    const std::int64_t bytes = layout_->record_bytes();
    if (!layout_->fits(features) || bytes_in(options_.folder) + bytes > options_.bytes) {
      return false;
    }
    std::string record(sizeof(RecordHead), '\0');
    for (const at::Tensor& tensor : features) {
      append(record, tensor);
    }
    const std::string_view values = std::string_view(record).substr(sizeof(RecordHead));
    const RecordHead head{.key = key, .checksum = checksum(key, values), .unused = 0};
    std::memcpy(record.data(), &head, sizeof(head));
    record.resize(static_cast<std::size_t>(bytes), '\0');
    file_->write(seen_, record);
    places_[key] = seen_;
    seen_ += bytes;
    return true;
  }

  FeatureFileOptions options_;
  Hash128 identity_{};
  fs::path path_;
  bool usable_ = true;
  std::optional<GrowingFile> file_;
  std::optional<Layout> layout_;
  std::map<FeatureKey, std::int64_t> places_;  ///< offsets of records
  std::int64_t seen_ = kHeaderBytes;           ///< where the records that are known end
};

}  // namespace

std::unique_ptr<FeatureStore> make_file_store(const FeatureFileOptions& options) {
  return std::make_unique<FileStore>(options);
}

}  // namespace leaf
