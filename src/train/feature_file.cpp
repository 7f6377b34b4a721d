#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "feature_layout.h"
#include "feature_store.h"
#include "growing_file.h"
#include "hash.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kHeaderBytes = FeatureLayout::kHeaderBytes;

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
    hasher.add(FeatureLayout::kFormat);
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
        if (!FeatureLayout::is_storable(features)) {
          return;
        }
        write_header(FeatureLayout::of(features));
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
    layout_ = read_layout();
    if (layout_) {
      return;
    }
    log::warn(str("'", path_.string(), "' is damaged; started anew"));
    remove_file();
    file_.emplace(path_);
  }

  /// None where the file is not one that this program would have written.
  std::optional<FeatureLayout> read_layout() {
    const GrowingFile::Lock lock(*file_);  // nobody is in the middle of writing it
    return file_->size() < kHeaderBytes
               ? std::nullopt
               : FeatureLayout::read(file_->at(0, kHeaderBytes), identity_);
  }

  void remove_file() {
    std::error_code ignored;
    fs::remove(path_, ignored);
    file_.reset();
    layout_.reset();
    places_.clear();
  }

  /// Under the lock. Another program may have been faster.
  void write_header(const FeatureLayout& layout) {
    if (file_->size() < kHeaderBytes) {
      file_->write(0, layout.header(identity_));
    }
    layout_ = layout;
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
      places_[FeatureLayout::key(file_->at(seen_, FeatureLayout::kKeyBytes))] = seen_;
    }
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
    std::optional<Features> found =
        layout_->features(key, file_->at(place->second, layout_->record_bytes()));
    if (!found) {
      places_.erase(place);  // to be computed and appended once more
    }
    return found;
  }

  /// Under the lock; false where there is no room for it, or its form is not the file's.
  bool append_record(const FeatureKey& key, const Features& features) {
    const std::int64_t bytes = layout_->record_bytes();
    if (!layout_->fits(features) || bytes_in(options_.folder) + bytes > options_.bytes) {
      return false;
    }
    file_->write(seen_, layout_->record(key, features));
    places_[key] = seen_;
    seen_ += bytes;
    return true;
  }

  FeatureFileOptions options_;
  Hash128 identity_{};
  fs::path path_;
  bool usable_ = true;
  std::optional<GrowingFile> file_;
  std::optional<FeatureLayout> layout_;
  std::map<FeatureKey, std::int64_t> places_;  ///< offsets of records
  std::int64_t seen_ = kHeaderBytes;           ///< where the records that are known end
};

}  // namespace

std::unique_ptr<FeatureStore> make_file_store(const FeatureFileOptions& options) {
  return std::make_unique<FileStore>(options);
}

}  // namespace leaf
