#include "leaf/data/volume.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "data/image_folder.h"
#include "data/picture_bytes.h"
#include "data/picture_levels.h"
#include "data/readers/reader.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "volume_reader.h"

namespace leaf::data {
namespace fs = std::filesystem;

// Each in a file of its own.
VolumeReader nifti_volume_reader();
VolumeReader dicom_volume_reader();

const std::vector<VolumeReader>& all_volume_readers() {
  static const std::vector<VolumeReader> readers{nifti_volume_reader(), dicom_volume_reader()};
  return readers;
}

namespace {

/// "512x512x40"
std::string size_text(const VolumeGeometry& geometry) {
  return str(geometry.size[0], "x", geometry.size[1], "x", geometry.size[2]);
}

double smallest_spacing(const VolumeGeometry& geometry) {
  return std::min(
      {spacing_along(geometry, 0), spacing_along(geometry, 1), spacing_along(geometry, 2)});
}

/// Where a voxel lies by one matrix, less where it lies by another, in mm: the largest distance at
/// the eight corners of the volume, which no other voxel exceeds.
double distance_apart(const VolumeGeometry& one, const VolumeGeometry& other) {
  double largest = 0;
  for (unsigned corner = 0; corner < 8; ++corner) {
    std::array<double, 4> place{0, 0, 0, 1};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      place[axis] = (corner >> axis & 1U) != 0 ? static_cast<double>(one.size[axis] - 1) : 0;
    }
    std::array<double, 3> step{};
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t column = 0; column < 4; ++column) {
        step[row] += (one.affine[row][column] - other.affine[row][column]) * place[column];
      }
    }
    const double distance = std::hypot(step[0], step[1], step[2]);
    largest = distance > largest || std::isnan(distance) ? distance : largest;
  }
  return largest;
}

/// Runs `action`; a reason alone, and trouble with memory, become a DataError that names the file.
template <typename Action>
auto name_errors(const std::string& name, const Action& action) {
  return name_memory_errors(name, [&] {
    try {
      return action();
    } catch (const DataError& error) {
      fail_to_read(name, error.what());
    } catch (const fs::filesystem_error& error) {
      fail_to_read(name, error.code().message());
    }
  });
}

const VolumeReader* reader_of(const fs::path& path) {
  const auto& readers = all_volume_readers();
  const auto found = std::find_if(readers.begin(), readers.end(),
                                  [&](const VolumeReader& reader) { return reader.takes(path); });
  return found == readers.end() ? nullptr : &*found;
}

double determinant(const VolumeGeometry& geometry) {
  const auto& a = geometry.affine;
  return a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) -
         a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
         a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
}

/// Throws DataError where the affine does not lead to places, or not from different voxels to
/// different ones.
void check_affine(const VolumeGeometry& geometry) {
  constexpr double kFlat = 1e-6;
  double product = 1;
  bool finite = true;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    product *= spacing_along(geometry, axis);
    finite = finite && std::isfinite(geometry.affine[axis][3]);
  }
  const double volume = std::abs(determinant(geometry));
  if (!finite || !std::isfinite(volume) || !std::isfinite(product) || volume <= kFlat * product) {
    throw DataError(
        "its header does not say where the voxels lie (sform or qform without three directions); "
        "correct it");
  }
}

}  // namespace

void check_voxels(const std::array<std::int64_t, 3>& size, const VolumeLimits& limits) {
  std::int64_t most = limits.max_voxels;
  for (const std::int64_t count : size) {
    if (count < 1) {
      refuse_damaged(str("its header states ", count, " voxels along an axis"));
    }
    most /= count;
  }
  if (most < 1) {
    throw DataError(str("it has ", size[0], "x", size[1], "x", size[2],
                        " voxels, and the limit is ", limits.max_voxels,
                        "; crop it, or raise the limit (VolumeLimits::max_voxels)"));
  }
}

void check_volume(const VolumeGeometry& geometry, const VolumeLimits& limits) {
  check_voxels(geometry.size, limits);
  check_affine(geometry);
}

Picture Volume::slice(std::int64_t index) const {
  if (index < 0 || index >= slices()) {
    fail_to_read(name_, str("it has no slice ", index, ", but 0 to ", slices() - 1));
  }
  Picture picture = name_errors(name_, [&] { return read(index); });
  picture.geometry.row_spacing = spacing_along(geometry_, slicing_.down);
  picture.geometry.column_spacing = spacing_along(geometry_, slicing_.right);
  return picture;
}

ValueSpan Volume::span() const {
  std::call_once(span_found_, [this] {
    ValueSpan all = value_span(slice(0), name_);
    for (std::int64_t i = 1; i < slices(); ++i) {
      const ValueSpan one = value_span(slice(i), name_);
      all = {std::min(all.low, one.low), std::max(all.high, one.high)};
    }
    span_ = all;
  });
  return span_;
}

bool is_volume(const fs::path& path) { return reader_of(path) != nullptr; }

std::unique_ptr<Volume> open_volume(const fs::path& path, const VolumeOptions& options) {
  const std::string name = path.string();
  std::error_code none;
  if (!fs::exists(path, none)) {
    fail_to_read(name, "no such file");
  }
  const VolumeReader* reader = reader_of(path);
  if (reader == nullptr) {
    fail_to_read(name, "its name is not that of a volume (.nii, .nii.gz)");
  }
  return name_errors(name, [&] {
    std::unique_ptr<Volume> volume = reader->open(path, options);
    const ImageSize size = volume->slice_size();
    check_size(size.width, size.height, options.limits.slice);
    return volume;
  });
}

void require_same_place(const Volume& one, const Volume& other) {
  const auto refuse = [&](const std::string& difference) {
    throw DataError(str("'", one.name(), "' and '", other.name(), "' ", difference,
                        "; pair the right files, or give both the same header"));
  };
  if (one.geometry().size != other.geometry().size) {
    refuse(
        str("have ", size_text(one.geometry()), " and ", size_text(other.geometry()), " voxels"));
  }
  const double apart = distance_apart(one.geometry(), other.geometry());
  if (!(apart <= smallest_spacing(one.geometry()) / 2)) {
    refuse(str("lie up to ", fixed(apart, 2), " mm apart by their headers"));
  }
  if (one.slicing() != other.slicing()) {
    refuse("are sliced along different axes, since two of their spacings are nearly the same");
  }
}

fs::path without_extension(const fs::path& path) {
  if (has_number_for_extension(path)) {
    return path;
  }
  fs::path result = path;
  const bool packed = to_lower(path.filename().string()).ends_with(".nii.gz");
  result.replace_extension();
  return packed ? result.replace_extension() : result;
}

std::string volume_ending(const fs::path& path) {
  return to_lower(path.extension().string()) == ".nii" ? ".nii" : ".nii.gz";
}

std::string slice_name(const std::string& volume, std::int64_t index) {
  return str(volume, "#", index);
}

Picture stacked_slices(const Volume& volume) {
  Picture stacked = volume.slice(0);
  std::vector<at::Tensor> samples{stacked.samples};
  for (std::int64_t i = 1; i < volume.slices(); ++i) {
    samples.push_back(volume.slice(i).samples);
  }
  stacked.samples = at::cat(samples);
  return stacked;
}

LoadedImage read_slice(const Volume& volume, std::int64_t index, const Intensity& intensity) {
  Intensity rule = intensity;
  if (intensity.rule == IntensityRule::kRange) {
    const ValueSpan span = volume.span();
    rule = {IntensityRule::kWindow, span.low, span.high};
  }
  const Picture picture = volume.slice(index);
  return name_memory_errors(volume.name(),
                            [&] { return displayed_image(picture, rule, volume.name()); });
}

}  // namespace leaf::data
