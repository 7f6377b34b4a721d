#pragma once

#include <ATen/core/TensorBody.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "leaf/data/image_io.h"
#include "leaf/data/intensity.h"
#include "leaf/data/picture.h"
#include "leaf/data/slice_axis.h"

namespace leaf::data {

/// Where the voxels of a volume lie.
struct VolumeGeometry {
  /// Voxels along the file's axes i, j and k.
  std::array<std::int64_t, 3> size{1, 1, 1};
  /// (i, j, k, 1) -> mm towards the patient's right, front and head: RAS+, as NIfTI has it.
  std::array<std::array<double, 4>, 3> affine{{{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
};

/// How a volume becomes pictures: as they are usually shown, so that the same body gives the same
/// pictures in the same order however its file stores it. The patient's front or head is up, the
/// right side (of sagittal slices the front) is on the left; slices go from foot to head, from back
/// to front, or from left to right. Axes are those of the file, 0 to 2.
struct Slicing {
  std::size_t across = 2;           ///< slices lie one behind the other along it
  std::size_t down = 1;             ///< from row to row of a picture
  std::size_t right = 0;            ///< from column to column
  std::array<bool, 3> backwards{};  ///< axes that pictures and slices run against
  bool operator==(const Slicing&) const = default;
};

Slicing slicing_of(const VolumeGeometry& geometry, SliceAxis axis = SliceAxis::kAuto);

/// Voxels in the file's order, [k, j, i] or [k, j, i, C], -> pictures [slices, H, W] or with C.
at::Tensor as_slices(const at::Tensor& voxels, const Slicing& slicing);

/// The inverse: pictures back to the file's order, contiguous.
at::Tensor as_voxels(const at::Tensor& slices, const Slicing& slicing);

/// What is refused from a file's header, before voxels are read.
struct VolumeLimits {
  /// Reading takes up to 8 bytes for each, as the file stores them.
  std::int64_t max_voxels = 1'000'000'000;
  PictureLimits slice{};  ///< of one
};

struct VolumeOptions {
  SliceAxis axis = SliceAxis::kAuto;
  VolumeLimits limits{};
};

/// The smallest and the largest value of a volume.
struct ValueSpan {
  double low = 0;
  double high = 0;
};

/// A frame, counted from 0, of a DICOM file.
struct DicomFrame {
  std::filesystem::path file;
  std::int64_t frame = 0;
};

/// A file (or a folder of files) of slices. Its functions may be called from several threads.
class Volume {
 public:
  virtual ~Volume() = default;
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  const VolumeGeometry& geometry() const { return geometry_; }
  const Slicing& slicing() const { return slicing_; }
  std::int64_t slices() const { return geometry_.size[slicing_.across]; }
  ImageSize slice_size() const {
    return {geometry_.size[slicing_.down], geometry_.size[slicing_.right]};
  }

  /// A slice as a picture that needs no turning, with the values that the file means (scaled).
  /// `index` counts as `slicing` says. Throws DataError, naming the file, for voxels that cannot be
  /// read or are too many for the memory.
  Picture slice(std::int64_t index) const;

  /// Of all slices: found once, then kept. Throws DataError, naming the file, for values that are
  /// not finite.
  ValueSpan span() const;

  /// The header of a NIfTI-1 or NIfTI-2 file of this geometry, in the machine's byte order; what a
  /// mask's file keeps of it is in write_volume(). Empty: it is made from the geometry.
  virtual std::string nifti_header() const { return {}; }

  /// The DICOM frames that the voxels are of, one for each place along k; of other formats none.
  virtual std::vector<DicomFrame> dicom_frames() const { return {}; }

  /// What messages call it: its path.
  const std::string& name() const { return name_; }

 protected:
  Volume(std::string name, const VolumeGeometry& geometry, const Slicing& slicing)
      : name_(std::move(name)), geometry_(geometry), slicing_(slicing) {}

 private:
  /// What slice() gives, of an index that is there. Throws DataError, whose message is the reason
  /// alone.
  virtual Picture read(std::int64_t index) const = 0;

  std::string name_;
  VolumeGeometry geometry_;
  Slicing slicing_;
  mutable std::once_flag span_found_;
  mutable ValueSpan span_;
};

/// True for what a row of all_volume_readers() (src/data/volumes/volume_reader.h) takes: files that
/// end as NIfTI's, .nii and .nii.gz, in any case; hidden files are none. And folders, whose DICOM
/// files are slices.
bool is_volume(const std::filesystem::path& path);

/// Reads the header; the voxels are read when the first slice is asked for, and kept. Throws
/// DataError, naming the file and the reason, for a file that is missing, damaged, not read, or
/// larger than the limits.
std::unique_ptr<Volume> open_volume(const std::filesystem::path& path,
                                    const VolumeOptions& options = {});

/// Throws DataError, naming both, unless two volumes have the same voxels at the same places, to
/// half a voxel: their slices belong together then.
void require_same_place(const Volume& one, const Volume& other);

/// The path without ".nii.gz", or else without its extension, unless that is a number, as where a
/// DICOM file is named by its UID: what names are made of.
std::filesystem::path without_extension(const std::filesystem::path& path);

/// How the file of a volume's mask ends: ".nii" for a volume that does, else ".nii.gz".
std::string volume_ending(const std::filesystem::path& path);

/// "case#12": what a slice is called.
std::string slice_name(const std::string& volume, std::int64_t index);

/// Reads a slice as the network sees it: values become bytes as `intensity` says, where kRange is
/// the range of the whole volume. The orientation is 1.
LoadedImage read_slice(const Volume& volume, std::int64_t index, const Intensity& intensity);

/// All slices as one picture, one below the other: what is counted in it is counted in the volume.
Picture stacked_slices(const Volume& volume);

/// Writes slices (uint8, int32 or float32 [slices, H, W], as `source` gives them) as a file of the
/// source's geometry, atomically: packed where `path` ends in .gz. Of a NIfTI source its
/// sform, qform, units and voxel sizes are kept to the bit; values are not scaled. Throws FileError
/// when that fails.
void write_volume(const std::filesystem::path& path, const Volume& source,
                  const at::Tensor& slices);

}  // namespace leaf::data
