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

/// The start of a file. It is written whole or not at all as far as anybody trusts it: `checksum`
/// covers what stands before it.
struct Header {
  char magic[8] = {'l', 'e', 'a', 'f', 'f', 'e', 'a', '1'};
  Hash128 identity{};
  std::int64_t latent[3] = {};  ///< L, r, r
  std::int64_t tokens[2] = {};  ///< T, D; 0 without a teacher
  std::int64_t token_type = 0;  ///< at::ScalarType
  std::uint64_t checksum = 0;
};
constexpr std::int64_t kHeaderBytes = 128;
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

Header header_for(const Hash128& identity, const FrozenFeatures& features) {
  Header header;
  header.identity = identity;
  std::copy_n(features.mask_latents.sizes().begin(), 3, header.latent);
  if (features.teacher_tokens.defined()) {
    std::copy_n(features.teacher_tokens.sizes().begin(), 2, header.tokens);
    header.token_type = static_cast<std::int64_t>(features.teacher_tokens.scalar_type());
  }
  header.checksum = checksum_of(header);
  return header;
}

/// Sizes and types of a record's parts.
struct Layout {
  explicit Layout(const Header& header)
      : latent(header.latent, header.latent + 3),
        tokens(header.tokens, header.tokens + 2),
        token_type(static_cast<at::ScalarType>(header.token_type)) {}

  bool has_tokens() const { return tokens[0] > 0; }
  std::int64_t latent_bytes() const {
    return latent[0] * latent[1] * latent[2] * static_cast<std::int64_t>(sizeof(float));
  }
  std::int64_t token_bytes() const {
    return tokens[0] * tokens[1] * static_cast<std::int64_t>(c10::elementSize(token_type));
  }
  std::int64_t value_bytes() const { return latent_bytes() + token_bytes(); }
  std::int64_t record_bytes() const {
    const auto bytes = static_cast<std::int64_t>(sizeof(RecordHead)) + value_bytes();
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  std::vector<std::int64_t> latent, tokens;
  at::ScalarType token_type;
};

at::Tensor copied(const char*& from, at::IntArrayRef shape, at::ScalarType type) {
  at::Tensor tensor = at::empty(shape, type);
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
    hasher.add(options.identity);
    identity_ = hasher.digest();
    path_ = options.folder / (hex_text(identity_) + ".features");
    guarded([&] {
      if (fs::exists(path_)) {
        open();
      }
    });
  }

  std::optional<FrozenFeatures> find(const FeatureKey& key) override {
    std::optional<FrozenFeatures> found;
    guarded([&] { found = read(key); });
    return found;
  }

  void keep(const FeatureKey& key, const FrozenFeatures& features) override {
    guarded([&] {
      if (!layout_) {
        open();
      }
      const GrowingFile::Lock lock(*file_);
      if (!layout_) {
        write_header(header_for(identity_, features));
      }
      look_for_records();
      if (!places_.contains(key)) {
        append_record(key, features);
      }
    });
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
    const Header own;
    const bool ours = std::memcmp(header.magic, own.magic, sizeof(own.magic)) == 0 &&
                      header.checksum == checksum_of(header) && header.identity == identity_;
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

  std::optional<FrozenFeatures> read(const FeatureKey& key) {
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
    FrozenFeatures features;
    features.mask_latents = copied(values, layout_->latent, at::kFloat);
    if (layout_->has_tokens()) {
      features.teacher_tokens = copied(values, layout_->tokens, layout_->token_type);
    }
    return features;
  }

  /// Under the lock.
  void append_record(const FeatureKey& key, const FrozenFeatures& features) {
    const std::int64_t bytes = layout_->record_bytes();
    if (bytes_in(options_.folder) + bytes > options_.bytes) {
      return;
    }
    std::string record(sizeof(RecordHead), '\0');
    append(record, features.mask_latents);
    append(record, features.teacher_tokens);
    const std::string_view values = std::string_view(record).substr(sizeof(RecordHead));
    if (static_cast<std::int64_t>(values.size()) != layout_->value_bytes()) {
      return;  // of another shape than the file's
    }
    const RecordHead head{.key = key, .checksum = checksum(key, values), .unused = 0};
    std::memcpy(record.data(), &head, sizeof(head));
    record.resize(static_cast<std::size_t>(bytes), '\0');
    file_->write(seen_, record);
    places_[key] = seen_;
    seen_ += bytes;
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
