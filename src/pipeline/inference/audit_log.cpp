#include "audit_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <fstream>
#include <utility>
#include <vector>

#include "core/sha256.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/data_config.h"
#include "leaf/pipeline/folders.h"
#include "output_files.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr const char* kAuditFile = "audit.jsonl";

/// "2026-11-29T15:28:56Z"
std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

}  // namespace

fs::path audit_path(const fs::path& output) { return output / kAuditFile; }

namespace {

/// The files of a folder that is one input.
std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files = list_folder(folder);
  std::erase_if(files, [](const fs::path& file) {
    std::error_code none;
    return !fs::is_regular_file(file, none);
  });
  return files;
}

FileFacts stat_of_folder(const fs::path& folder) {
  FileFacts facts;
  for (const fs::path& file : files_of(folder)) {
    const FileFacts one = stat_of(file);
    facts.bytes += one.bytes;
    facts.modified_ns = std::max(facts.modified_ns, one.modified_ns);
  }
  return facts;
}

/// Over what `sha256sum` prints for its files.
std::string sha256_of_input(const fs::path& path) {
  std::error_code none;
  if (!fs::is_directory(path, none)) {
    return sha256_of_file(path);
  }
  std::string lines;
  for (const fs::path& file : files_of(path)) {
    lines += str(sha256_of_file(file), "  ", file.filename().string(), "\n");
  }
  return sha256(lines);
}

}  // namespace

FileFacts stat_of(const fs::path& path) {
  std::error_code none;
  if (fs::is_directory(path, none)) {
    return stat_of_folder(path);
  }
  struct stat status {};
  FileFacts facts;
  if (::stat(path.c_str(), &status) == 0) {
    facts.bytes = status.st_size;
    facts.modified_ns =
        status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
  }
  return facts;
}

FileFacts facts_of_file(const fs::path& path) {
  FileFacts facts = stat_of(path);
  facts.sha256 = sha256_of_input(path);
  return facts;
}

void read_audit(const fs::path& path, std::int64_t begin,
                const std::function<void(const AuditRecord&)>& use) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    return;
  }
  std::ifstream file(path, std::ios::binary);
  file.seekg(begin);
  for (std::string line; std::getline(file, line);) {
    try {
      use(AuditRecord::parse(line));
    } catch (
        const AuditRecord::exception&) {  // half a line of a killed program, or no line of ours
    }
  }
}

/// What is added later stands there only where it is not as before: masks of earlier versions are
/// kept, unless files beside them are asked for, of which their records do not tell.
AuditRecord result_settings(const SegmenterOptions& segmenter,
                            const FolderInferenceOptions& options) {
  AuditRecord settings = {
      {"device", c10::DeviceTypeName(segmenter.device.type(), /*lower_case=*/true)},
      {"precision", enum_text(segmenter.precision)},
      {"seed", segmenter.seed},
      {"noise", enum_text(segmenter.noise)},
      {"num_inference_steps", segmenter.num_inference_steps},
      {"output_size", enum_text(options.mask.size)},
      {"mask_orientation", enum_text(data::MaskOrientation::kStored)},
      {"seeds", options.mask.seeds},
      {"postprocess", data::postprocess_text(options.mask.postprocess)}};
  if (options.mask.ensemble != Ensemble::kMean) {
    settings["ensemble"] = enum_text(options.mask.ensemble);
  }
  if (options.mask.tiling) {
    settings["tile"] = options.mask.tiling->side;
    settings["tile_overlap"] = options.mask.tiling->overlap;
  }
  if (options.volumes.axis != data::SliceAxis::kAuto) {
    settings["slice_axis"] = enum_text(options.volumes.axis);
  }
  return settings;
}

AuditLog::AuditLog(const Segmenter& segmenter, const FolderInferenceOptions& options)
    : options_(options),
      settings_sha256_(sha256(json_text(result_settings(segmenter.options(), options)))),
      model_sha256_(std::async(std::launch::async,
                               [model = options.model] {
                                 return model.empty() ? std::string() : leaf::model_sha256(model);
                               })
                        .share()),
      run_(str(utc_now(), "-", ::getpid())) {
  if (options.skip_existing) {
    read_earlier();
  }
  open();
}

/// A killed program may have left half a line, which is ended: it is no record.
void AuditLog::open() {
  const fs::path path = audit_path(options_.output);
  std::error_code ignored;
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
    throw FileError(str("cannot write '", path.string(), "': it is not a regular file"));
  }
  begin_ = stat_of(path).bytes;
  char last = '\n';
  std::ifstream(path, std::ios::binary).seekg(std::max<std::int64_t>(0, begin_ - 1)).get(last);
  file_.open(path, std::ios::binary | std::ios::app);
  file_ << (last == '\n' ? "" : "\n") << std::flush;
  if (!file_) {
    throw_cannot_write(path, errno);
  }
}

void AuditLog::read_earlier() {
  read_audit(audit_path(options_.output), 0, [&](const AuditRecord& record) {
    const std::string name = json_text(record.at("name"));
    if (record.contains("error")) {
      earlier_.erase(name);
    } else if (record.contains("output_sha256")) {
      Earlier earlier;
      earlier.model_sha256 = record.at("model_sha256");
      earlier.same_settings = record.at("settings_sha256") == settings_sha256_;
      earlier.input = {.bytes = record.at("input_bytes"),
                       .modified_ns = record.at("input_modified_ns"),
                       .sha256 = record.at("input_sha256")};
      earlier.mask = {.bytes = record.at("output_bytes"), .sha256 = record.at("output_sha256")};
      earlier.extras = record.value("extras", Extras());
      earlier_[name] = std::move(earlier);
    }
  });
}

EarlierMask AuditLog::earlier_mask(const InferenceInput& input) const {
  const fs::path mask = mask_path(options_, input);
  std::error_code failure;
  if (!fs::exists(mask, failure)) {
    return EarlierMask::kNone;
  }
  if (stat_of(mask).bytes == 0) {
    return EarlierMask::kEmpty;
  }
  const auto found = earlier_.find(json_text(AuditRecord(input.name.string())));
  return found == earlier_.end() ? EarlierMask::kUnrecorded : compare(input, found->second);
}

EarlierMask AuditLog::compare(const InferenceInput& input, const Earlier& earlier) const {
  const fs::path mask = mask_path(options_, input);
  if (earlier.model_sha256 != model_sha256_.get()) {
    return EarlierMask::kOtherModel;
  }
  if (!earlier.same_settings) {
    return EarlierMask::kOtherSettings;
  }
  if (stat_of(mask).bytes != earlier.mask.bytes || sha256_of_file(mask) != earlier.mask.sha256) {
    return EarlierMask::kChanged;
  }
  const std::vector<fs::path> files = output_files(options_, input);
  const auto is_empty = [](const fs::path& file) { return stat_of(file).bytes == 0; };
  if (std::any_of(files.begin(), files.end(), is_empty) || !has_extras(earlier.extras, input)) {
    return EarlierMask::kIncomplete;
  }
  return is_current(input, earlier) ? EarlierMask::kKept : EarlierMask::kOtherImage;
}

/// Whether the files beside the mask were made with it, in the form that is asked for now.
bool AuditLog::has_extras(const Extras& made, const InferenceInput& input) const {
  const Extras wanted = extra_forms(options_, input);
  return std::includes(made.begin(), made.end(), wanted.begin(), wanted.end());
}

/// Whether the image is the one that was segmented; one that was only copied or touched is.
bool AuditLog::is_current(const InferenceInput& input, const Earlier& earlier) const {
  const FileFacts facts = stat_of(input.image);
  return facts.bytes == earlier.input.bytes &&
         (facts.modified_ns == earlier.input.modified_ns ||
          sha256_of_input(input.image) == earlier.input.sha256);
}

void AuditLog::append(const InferenceInput& input, const ImageReport& image) {
  AuditRecord record = {{"run", run_},
                        {"time", utc_now()},
                        {"leaf", version()},
                        {"name", input.name.string()},
                        {"input", image.input.string()}};
  if (!image.error.empty()) {
    record["error"] = image.error;
  } else if (image.skipped()) {
    record["output"] = image.output.string();
    record["skipped"] = true;
  } else {
    record.update({{"output", image.output.string()},
                   {"height", image.height},
                   {"width", image.width},
                   {"milliseconds", image.milliseconds},
                   {"foreground_fraction", image.foreground_fraction},
                   {"input_bytes", image.input_file.bytes},
                   {"input_modified_ns", image.input_file.modified_ns},
                   {"input_sha256", image.input_file.sha256},
                   {"output_bytes", image.mask_file.bytes},
                   {"output_sha256", image.mask_file.sha256},
                   {"model_sha256", model_sha256_.get()},
                   {"settings_sha256", settings_sha256_}});
    if (const Extras extras = extra_forms(options_, input); !extras.empty()) {
      record["extras"] = extras;
    }
    if (image.tiles > 0) {
      record["tiles"] = image.tiles;
    }
    if (image.slices > 0) {
      record["slices"] = image.slices;
    }
  }
  file_ << json_text(record) + "\n" << std::flush;
  if (!file_) {
    throw_cannot_write(audit_path(options_.output), errno);
  }
}

}  // namespace leaf
