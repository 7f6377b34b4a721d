#include <algorithm>
#include <cctype>
#include <chrono>
#include <utility>
#include <vector>

#include "data/nnunet_dataset.h"
#include "data/readers/reader.h"
#include "folder_watch.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/volume.h"
#include "leaf/pipeline/folder_inference.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::milliseconds kLook(100);

InferenceInput input_of(const fs::path& image, const fs::path& folder) {
  return {image, data::case_name(image, image.lexically_relative(folder))};
}

/// Another image beside this one whose mask would have the same name; empty where there is none.
/// Masks of volumes have the volumes' endings.
fs::path rival_of(const fs::path& image) {
  if (data::is_volume(image)) {
    return {};
  }
  for (const data::Reader& reader : data::all_readers()) {
    for (const std::string& lower : reader.extensions) {
      const auto in_capitals = [](unsigned char c) { return static_cast<char>(std::toupper(c)); };
      std::string upper = lower;
      std::transform(upper.begin(), upper.end(), upper.begin(), in_capitals);
      const std::string title = lower.substr(0, 1) + in_capitals(lower[1]) + lower.substr(2);
      std::error_code none;
      for (const std::string& extension : {lower, upper, title}) {
        const fs::path other = data::without_extension(image).string() + extension;
        if (other != image && !data::is_volume(other) && fs::exists(other, none)) {
          return other;
        }
      }
    }
  }
  return {};
}

/// Why an image cannot be segmented here; empty where it can.
std::string refusal_of(const InferenceInput& input, const FolderInferenceOptions& inference) {
  if (const fs::path rival = rival_of(input.image); !rival.empty()) {
    return str("'", input.image.string(), "' and '", rival.string(), "' would both write '",
               mask_path(inference, input).string(), "'; rename them");
  }
  try {
    data::refuse_channel_files({input.image});
    check_outputs({input}, inference);
    return "";
  } catch (const Error& failure) {
    return failure.what();
  }
}

}  // namespace

void check_watch(const WatchOptions& watch, const fs::path& output) {
  std::error_code none;
  if (!fs::is_directory(watch.folder, none)) {
    throw DataError(str("no folder '", watch.folder.string(), "'; check WatchOptions::folder"));
  }
  if (fs::equivalent(watch.folder, output, none)) {
    throw ConfigError(str("the masks would arrive in the watched folder '", watch.folder.string(),
                          "'; choose another FolderInferenceOptions::output"));
  }
}

void watch_folder(const Segmenter& segmenter, const WatchOptions& options,
                  const FolderInferenceOptions& inference, InferenceReport& report,
                  const InferenceHooks& hooks) {
  check_watch(options, inference.output);
  const auto is_done = [&](const fs::path& image) {
    std::error_code none;
    const fs::path mask = mask_path(inference, input_of(image, options.folder));
    return fs::exists(mask, none) &&
           fs::last_write_time(mask, none) >= fs::last_write_time(image, none);
  };
  FolderWatch watch(options, inference.output, is_done);
  const auto next = [&] {
    std::vector<InferenceInput> inputs;
    while (inputs.empty()) {
      const std::vector<fs::path> arrived = watch.settled(kLook);
      if (hooks.stop()) {
        report.interrupted |= !arrived.empty() || watch.is_waiting();
        break;
      }
      for (const fs::path& image : arrived) {
        InferenceInput input = input_of(image, options.folder);
        input.refusal = refusal_of(input, inference);
        inputs.push_back(std::move(input));
      }
    }
    return inputs;
  };
  infer_inputs(segmenter, next, inference, report, hooks);
}

}  // namespace leaf
