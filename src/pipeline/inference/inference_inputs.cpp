#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "data/dicom/structure.h"
#include "data/image_folder.h"
#include "data/nnunet_dataset.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/volume.h"
#include "leaf/pipeline/folder_inference.h"
#include "output_files.h"

namespace leaf {
namespace fs = std::filesystem;
namespace {

/// Absolute, without links and dots, also for what does not exist yet. Links stay where they cannot
/// be followed: a name that is too long, a link that leads to itself.
fs::path resolved(const fs::path& path) {
  std::error_code failure;
  const fs::path absolute = fs::absolute(path);
  const fs::path canonical = fs::weakly_canonical(absolute, failure);
  return failure ? absolute.lexically_normal() : canonical;
}

/// True when `path` lies anywhere below `folder`; both resolved.
bool is_below(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && relative != "." && *relative.begin() != "..";
}

/// The masks that an earlier call wrote beside its images: NAME.png where NAME.jpg is there.
std::set<fs::path> masks_beside_images(const std::vector<fs::path>& images) {
  std::map<fs::path, std::vector<fs::path>> by_name;
  for (const fs::path& image : images) {
    by_name[data::without_extension(image)].push_back(image);
  }
  std::set<fs::path> masks;
  for (const auto& [name, files] : by_name) {
    for (const fs::path& file : files) {
      if (files.size() > 1 && file.extension() == ".png") {
        masks.insert(file);
      }
    }
  }
  return masks;
}

/// The folder's own name, also where the path ends in dots.
fs::path folder_name(const fs::path& folder) {
  const fs::path last = folder.filename();
  const bool is_named = !last.empty() && last != "." && last != "..";
  const fs::path name = is_named ? last : resolved(folder).filename();
  if (name.empty()) {
    throw DataError(str("folder '", folder.string(),
                        "' has no name for the mask of its DICOM files; move them into one"));
  }
  return name;
}

/// The folders of DICOM files in the place of their files.
void add_series(const fs::path& folder, std::vector<fs::path>& images,
                std::vector<InferenceInput>& inputs) {
  std::set<fs::path> series;
  std::erase_if(images, [&](const fs::path& image) {
    const bool is_dicom = data::dicom::is_dicom_file(image);
    if (is_dicom) {
      series.insert(image.parent_path());
    }
    return is_dicom;
  });
  for (const fs::path& each : series) {
    const fs::path name = each.lexically_relative(folder);
    const bool is_top = name.empty() || name == ".";
    inputs.push_back({each, is_top ? folder_name(each) : name});
  }
}

/// Slices of a volume look like pictures; the first two of one folder tell.
void hint_at_series(const std::vector<fs::path>& images) {
  const auto neighbours = std::adjacent_find(
      images.begin(), images.end(),
      [](const fs::path& a, const fs::path& b) { return a.parent_path() == b.parent_path(); });
  if (neighbours != images.end() && data::dicom::is_dicom_file(neighbours[0]) &&
      data::dicom::is_dicom_file(neighbours[1])) {
    log::info(
        str("'", neighbours->parent_path().string(),
            "' holds DICOM files, each a picture; InputSearch::dicom_series takes them as the "
            "slices of a volume"));
  }
}

/// A data set's own folder holds masks too, which nobody wants segmented.
void warn_of_masks(const fs::path& folder) {
  for (const char* images : {"images", "imagesTr"}) {
    for (const char* masks : {"masks", "mask", "labels", "labelsTr"}) {
      if (fs::is_directory(folder / images) && fs::is_directory(folder / masks)) {
        log::warn(str("'", folder.string(), "' holds '", images, "' and '", masks,
                      "': both are segmented; for the images alone give '",
                      (folder / images).string(), "'"));
      }
    }
  }
}

void add_folder(const fs::path& folder, const InputSearch& search, const fs::path& output,
                std::vector<InferenceInput>& inputs) {
  if (search.recursive) {
    warn_of_masks(folder);
  }
  const bool holds_output = is_below(resolved(output), resolved(folder));
  data::FoundImages found =
      data::find_images(folder, {.recursive = search.recursive, .volumes = true});
  std::set<fs::path> masks;
  if (data::is_results_folder(folder)) {
    masks = masks_beside_images(found.images);
    if (!masks.empty()) {
      found.results.push_back(folder);
    }
  }
  data::report_passed_over(found, folder);
  data::refuse_channel_files(found.images);
  if (search.dicom_series) {
    add_series(folder, found.images, inputs);
  } else {
    hint_at_series(found.images);
  }
  for (const fs::path& image : found.images) {
    if (masks.contains(image) || (holds_output && is_below(resolved(image), resolved(output)))) {
      continue;
    }
    inputs.push_back({image, data::case_name(image, image.lexically_relative(folder))});
  }
}

}  // namespace

std::vector<InferenceInput> find_inputs(const std::vector<fs::path>& paths,
                                        const InputSearch& search, const fs::path& output) {
  std::vector<InferenceInput> found;
  for (const fs::path& path : paths) {
    std::error_code failure;
    if (fs::is_directory(path, failure)) {
      add_folder(path, search, output, found);
    } else if (search.dicom_series && data::dicom::is_dicom_file(path)) {
      throw ConfigError(str("'", path.string(),
                            "' is a DICOM file; with InputSearch::dicom_series give its folder"));
    } else if (fs::exists(fs::symlink_status(path, failure))) {  // a link may lead nowhere
      data::refuse_channel_files({path});
      found.push_back({path, data::case_name(path, path.filename())});
    } else {
      throw DataError(str("no file or folder '", path.string(), "'; check its name"));
    }
  }
  if (found.empty()) {
    throw DataError("no images but those in the output folder");
  }
  return found;
}

void check_outputs(const std::vector<InferenceInput>& inputs,
                   const FolderInferenceOptions& options) {
  std::set<fs::path> images;
  for (const InferenceInput& input : inputs) {
    images.insert(resolved(input.image));
  }
  std::map<fs::path, fs::path> writers;
  for (const InferenceInput& input : inputs) {
    if (data::is_volume(input.image)) {
      check_volume_options(options.mask);
    }
    for (const fs::path& file : output_files(options, input)) {
      if (images.contains(resolved(file))) {
        throw ConfigError(str("'", file.string(),
                              "' would be written over the input of that name; ",
                              "choose another FolderInferenceOptions::output"));
      }
      const auto [other, is_new] = writers.emplace(resolved(file), input.image);
      if (!is_new) {
        throw ConfigError(str(
            "'", other->second.string(), "' and '", input.image.string(), "' would both write '",
            file.string(), "'; rename one, or use another FolderInferenceOptions::output for it"));
      }
    }
  }
}

}  // namespace leaf
