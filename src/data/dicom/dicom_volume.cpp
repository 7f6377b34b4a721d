#include <ATen/ATen.h>

#include <memory>
#include <mutex>

#include "data/picture_bytes.h"
#include "data/volumes/volume_reader.h"
#include "dicom_file.h"
#include "frame_picture.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "series.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// A folder with the files of a series, one a slice, or with one file of all slices.
class DicomVolume final : public Volume {
 public:
  DicomVolume(const fs::path& folder, dicom::Series series, const VolumeLimits& limits)
      : Volume(folder.string(), series.geometry, slicing_of(series.geometry, SliceAxis::kK)),
        limits_(limits) {
    for (dicom::PlacedFrame& frame : series.frames) {
      frames_.push_back(std::move(frame.source));
    }
  }

  std::vector<DicomFrame> dicom_frames() const override { return frames_; }

 private:
  Picture read(std::int64_t index) const override {
    const std::int64_t place = slicing().backwards[2] ? slices() - 1 - index : index;
    Picture picture = read_stored(frames_[static_cast<std::size_t>(place)]);
    picture.pages = 1;
    picture.samples = as_slices(picture.samples.unsqueeze(0), slicing())[0].contiguous();
    return picture;
  }

  Picture read_stored(const DicomFrame& frame) const {
    if (frames_.front().file != frames_.back().file) {
      dicom::DicomFile file = open(frame);
      return dicom::read_frame(file, frame.frame, true, limits_.slice);
    }
    const std::lock_guard lock(mutex_);  // all frames are in one file, which is decoded once
    if (!file_) {
      file_ = std::make_unique<dicom::DicomFile>(open(frame));
    }
    return dicom::read_frame(*file_, frame.frame, slices() == 1, limits_.slice);
  }

  dicom::DicomFile open(const DicomFrame& frame) const {
    return {read_picture_bytes(frame.file), dicom::most_unpacked(limits_.max_voxels)};
  }

  VolumeLimits limits_;
  std::vector<DicomFrame> frames_;  ///< along k
  mutable std::mutex mutex_;
  mutable std::unique_ptr<dicom::DicomFile> file_;
};

bool takes(const fs::path& path) {
  std::error_code none;
  return fs::is_directory(path, none);
}

std::unique_ptr<Volume> open(const fs::path& folder, const VolumeOptions& options) {
  if (options.axis == SliceAxis::kI || options.axis == SliceAxis::kJ) {
    throw DataError(str("a DICOM series is cut along its own slices alone, not along the axis '",
                        enum_text(options.axis), "'; set VolumeOptions::axis to auto"));
  }
  dicom::Series series = dicom::put_in_order(dicom::read_placed_frames(folder, options.limits));
  check_volume(series.geometry, options.limits);
  if (!series.remark.empty()) {
    log::warn(str("'", folder.string(), "': ", series.remark));
  }
  return std::make_unique<DicomVolume>(folder, std::move(series), options.limits);
}

}  // namespace

VolumeReader dicom_volume_reader() { return {&takes, &open}; }

}  // namespace leaf::data
