#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <string>
#include <unordered_map>

#include "core/json.h"
#include "leaf/pipeline/folder_inference.h"

namespace leaf {

using AuditRecord = Json;

/// output/audit.jsonl: one JSON object a line and image, appended by one write after the image's
/// files are in place. So a record may be missing where a mask is there (a program was killed in
/// between), and the image is done again; never the other way round. Of several records of one name
/// the last counts.
class AuditLog {
 public:
  /// Opens or makes the file. The model's files are hashed by a thread of its own until the hash is
  /// needed. With skip_existing, reads what earlier runs have recorded. Throws FileError when the
  /// file cannot be used.
  AuditLog(const Segmenter& segmenter, const FolderInferenceOptions& options);

  const std::string& run() const { return run_; }
  /// Where this run's records begin, in bytes.
  std::int64_t begin() const { return begin_; }

  /// What stands in the place of the input's mask. May be called from several threads at once.
  EarlierMask earlier_mask(const InferenceInput& input) const;

  void append(const InferenceInput& input, const ImageReport& image);

 private:
  using Extras = std::map<std::string, std::string>;  ///< as extra_forms() gives them

  /// What the last record of a name says.
  struct Earlier {
    std::string model_sha256;
    bool same_settings = false;
    FileFacts input;
    FileFacts mask;
    Extras extras;
  };

  void read_earlier();
  void open();
  EarlierMask compare(const InferenceInput& input, const Earlier& earlier) const;
  bool has_extras(const Extras& made, const InferenceInput& input) const;
  bool is_current(const InferenceInput& input, const Earlier& earlier) const;

  FolderInferenceOptions options_;
  std::string settings_sha256_;
  std::shared_future<std::string> model_sha256_;
  std::string run_;
  std::ofstream file_;
  std::int64_t begin_ = 0;
  std::unordered_map<std::string, Earlier> earlier_;
};

std::filesystem::path audit_path(const std::filesystem::path& output);

/// Calls `use` for every record from byte `begin` on; lines that are no records are passed over.
void read_audit(const std::filesystem::path& path, std::int64_t begin,
                const std::function<void(const AuditRecord&)>& use);

/// The settings that decide what masks hold; a mask that others made is not kept.
AuditRecord result_settings(const SegmenterOptions& segmenter,
                            const FolderInferenceOptions& options);

/// Size and time of a file, of a folder the sum and the latest of its files; all zero for what is
/// not there.
FileFacts stat_of(const std::filesystem::path& path);

/// The same, and the SHA-256 of its content: of a folder that of its files' `sha256sum`.
FileFacts facts_of_file(const std::filesystem::path& path);

}  // namespace leaf
