#pragma once

#include <filesystem>
#include <vector>

namespace leaf::data {

struct ImageSearch {
  /// Also in the folders below, but for hidden ones.
  bool recursive = true;
  /// Also in folders below that hold results of leaf_infer or leaf_eval (their summary.json).
  bool enter_results = false;
  /// Also volumes (is_volume).
  bool volumes = false;
};

/// What a search for images found.
struct FoundImages {
  std::vector<std::filesystem::path> images;  ///< in natural order: 2 before 10
  std::vector<std::filesystem::path> others;  ///< files that are no images here but may be meant so
  std::vector<std::filesystem::path> results;  ///< folders of earlier results, not entered
};

/// Looks through a folder. Hidden files, and tables and texts by their endings, are no part of
/// what is found. Throws DataError when the folder is missing or holds no image; the message says
/// which other files it holds.
FoundImages find_images(const std::filesystem::path& folder, const ImageSearch& search = {});

/// Says in one line each, as a warning, which files of `folder` were passed over and which earlier
/// results were not entered, if any.
void report_passed_over(const FoundImages& found, const std::filesystem::path& folder);

/// True for "CT.1.2.840.7": a dot and a number at the end are part of a name.
bool has_number_for_extension(const std::filesystem::path& path);

/// True for a folder whose summary.json leaf_infer or leaf_eval wrote.
bool is_results_folder(const std::filesystem::path& folder);

/// True for the names of folders of pictures that leaf_infer and leaf_eval write beside masks and
/// tables.
bool is_picture_folder(const std::filesystem::path& folder);

}  // namespace leaf::data
