#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "data/readers/reader.h"
#include "data/volumes/volume_reader.h"
#include "dicom_file.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "pixel_layout.h"
#include "series.h"
#include "structure.h"

namespace leaf::data::dicom {
namespace fs = std::filesystem;
namespace {

/// A file's frames, and what it belongs to.
struct PlacedFile {
  std::string series;
  std::vector<PlacedFrame> frames;
};

/// Directions of unequal length would shear the pixels.
bool is_unit(const Vector& direction) {
  constexpr double kTolerance = 1e-2;
  return std::abs(std::hypot(direction[0], direction[1], direction[2]) - 1) < kTolerance;
}

/// The distances that the file states, in mm: between pixels, and to the next frame.
struct Measures {
  std::optional<std::array<double, 2>> spacing;
  double depth = 1;
};

Measures measures_of(DcmDataset& data_set, std::int64_t frame) {
  DcmItem& group = group_of(data_set, DCM_PixelMeasuresSequence, frame);
  Measures measures;
  if (const auto spacing = numbers(group, DCM_PixelSpacing, 2);
      spacing && spacing->front() > 0 && spacing->back() > 0) {
    measures.spacing = {spacing->front(), spacing->back()};
  }
  for (const DcmTagKey& tag : {DCM_SliceThickness, DCM_SpacingBetweenSlices}) {
    const double stated = number(group, tag).value_or(0);
    measures.depth = stated > 0 ? stated : measures.depth;
  }
  return measures;
}

/// Nothing where the file does not say where the frame lies.
std::optional<PlacedFrame> place_of(DcmDataset& data_set, const Measures& measures,
                                    std::int64_t frame) {
  const auto position =
      numbers(group_of(data_set, DCM_PlanePositionSequence, frame), DCM_ImagePositionPatient, 3);
  const auto directions = numbers(group_of(data_set, DCM_PlaneOrientationSequence, frame),
                                  DCM_ImageOrientationPatient, 6);
  if (!measures.spacing || !position || !directions) {
    return std::nullopt;
  }
  PlacedFrame placed;
  placed.spacing = *measures.spacing;
  placed.depth = measures.depth;
  std::copy_n(position->begin(), 3, placed.position.begin());
  std::copy_n(directions->begin(), 3, placed.across.begin());
  std::copy_n(directions->begin() + 3, 3, placed.down.begin());
  const bool sound = is_unit(placed.across) && is_unit(placed.down);
  return sound ? std::optional<PlacedFrame>(placed) : std::nullopt;
}

/// A film's frames, which lie nowhere in the patient: one behind the other.
PlacedFrame unplaced(const Measures& measures, std::int64_t frame) {
  return {.source = {},
          .spacing = measures.spacing.value_or(std::array<double, 2>{1, 1}),
          .across = {1, 0, 0},
          .down = {0, 1, 0},
          .position = {0, 0, static_cast<double>(frame) * measures.depth}};
}

/// A header may state any number of frames.
void check_frames(DicomFile& file, const PixelLayout& layout, const VolumeLimits& limits) {
  check_voxels({layout.width, layout.height, layout.frames}, limits);
  if (!file.transfer_syntax().isEncapsulated()) {
    const StoredFrame last(layout, file.pixels(false), layout.frames - 1);
  } else if (const std::int64_t fragments = file.fragments(); fragments < layout.frames) {
    refuse_damaged(str("it states ", layout.frames, " frames, and its pixels are ", fragments,
                       fragments == 1 ? " fragment" : " fragments"));
  }
}

PlacedFile read_file_frames(const fs::path& path, const VolumeLimits& limits) {
  DicomFile file(read_file(path), most_unpacked(limits.max_voxels));
  DcmDataset& data_set = file.data_set();
  PlacedFile placed{.series = text(data_set, DCM_SeriesInstanceUID), .frames = {}};
  if (!data_set.tagExists(DCM_PixelData)) {
    return placed;
  }
  const PixelLayout layout = describe_pixels(data_set, limits.slice);
  check_frames(file, layout, limits);
  for (std::int64_t i = 0; i < layout.frames; ++i) {
    const Measures measures = measures_of(data_set, i);
    std::optional<PlacedFrame> frame = place_of(data_set, measures, i);
    if (!frame && layout.frames == 1) {
      throw DataError("it does not state where its slice lies; segment it as a picture");
    }
    placed.frames.push_back(frame ? *frame : unplaced(measures, i));
    placed.frames.back().source = {.file = path, .frame = i};
    placed.frames.back().size = {layout.width, layout.height};
  }
  return placed;
}

/// The same, errors naming the file.
PlacedFile read_named(const fs::path& path, const VolumeLimits& limits) {
  try {
    return read_file_frames(path, limits);
  } catch (const DataError& error) {
    throw DataError(str("its file '", printable(path.filename().string()), "': ", error.what()));
  }
}

}  // namespace

std::vector<PlacedFrame> read_placed_frames(const fs::path& folder, const VolumeLimits& limits) {
  std::vector<PlacedFrame> frames;
  std::string series;
  bool is_stack = false;
  for (const fs::path& path : list_folder(folder)) {
    if (!is_dicom_file(path)) {
      continue;
    }
    PlacedFile file = read_named(path, limits);
    if (file.frames.empty()) {
      continue;
    }
    if (!frames.empty() && (file.series != series || is_stack || file.frames.size() > 1)) {
      throw DataError(str("its files '", printable(frames.front().source.file.filename().string()),
                          "' and '", printable(path.filename().string()),
                          "' belong to different series; put each into a folder of its own"));
    }
    series = file.series;
    is_stack = file.frames.size() > 1;
    frames.insert(frames.end(), file.frames.begin(), file.frames.end());
  }
  if (frames.empty()) {
    throw DataError("it holds no DICOM files with pixels");
  }
  return frames;
}

}  // namespace leaf::data::dicom
