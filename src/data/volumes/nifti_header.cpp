#include "nifti_header.h"

#include <nifti2_io.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>

#include "data/readers/reader.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "volume_reader.h"

namespace leaf::data {
namespace {

using Image = std::unique_ptr<nifti_image, decltype(&nifti_image_free)>;

constexpr std::array kReadTypes = {DT_UINT8,   DT_INT8,    DT_UINT16, DT_INT16,
                                   DT_UINT32,  DT_INT32,   DT_UINT64, DT_INT64,
                                   DT_FLOAT32, DT_FLOAT64, DT_RGB24,  DT_RGBA32};

/// In the machine's byte order.
template <typename Header>
Header native(std::string_view bytes, int version, bool& swapped) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  swapped = header.sizeof_hdr != static_cast<int>(sizeof header);
  if (swapped) {
    swap_nifti_header(&header, version);
  }
  return header;
}

/// "n+1", "ni2", ...
template <typename Header>
void check_magic(const Header& header, int version) {
  const std::string digit = std::to_string(version);
  const std::string_view magic(header.magic, 4);
  if (magic == std::string_view("ni" + digit + '\0')) {
    throw DataError(
        "its voxels are in another file (.hdr and .img); write it as one .nii or .nii.gz");
  }
  if (magic != std::string_view("n+" + digit + '\0')) {
    throw DataError("its header is not that of NIfTI (Analyze 7.5?); convert it to .nii.gz");
  }
}

/// The library takes dimensions that cannot be for 1.
template <typename Header>
void check_dimensions(const Header& header) {
  const std::int64_t count = header.dim[0];
  if (count < 1 || count > 7) {
    refuse_damaged(str("its header states ", count, " dimensions"));
  }
  for (std::int64_t i = 1; i <= count; ++i) {
    const std::int64_t size = header.dim[i];
    if (size < 1) {
      refuse_damaged(str("its header states the size ", size, " along dimension ", i));
    }
    if (i > 3 && size > 1) {
      throw DataError(str("it has ", count, " dimensions, ", size, " along dimension ", i,
                          "; split it into volumes of three"));
    }
  }
}

template <typename Header>
void check_layout(const Header& header) {
  const int type = header.datatype;
  if (std::find(kReadTypes.begin(), kReadTypes.end(), type) == kReadTypes.end()) {
    throw DataError(str("NIfTI voxels of the type ", nifti_datatype_to_string(type), " (", type,
                        ") are not read; convert them to float32"));
  }
  constexpr double kLongest = 1e9;  // extensions before the voxels are short
  const auto offset = static_cast<double>(header.vox_offset);
  if (!(offset >= 0 && offset <= kLongest)) {
    refuse_damaged("its header states no place for the voxels");
  }
}

double millimetres(int unit) {
  switch (unit) {
    case NIFTI_UNITS_METER:
      return 1e3;
    case NIFTI_UNITS_MICRON:
      return 1e-3;
    default:
      return 1;
  }
}

VolumeGeometry geometry_of(const nifti_image& image) {
  const nifti_dmat44& matrix = image.sform_code > 0 ? image.sto_xyz : image.qto_xyz;
  VolumeGeometry geometry;
  geometry.size = {image.nx, std::max<std::int64_t>(image.ny, 1),
                   std::max<std::int64_t>(image.nz, 1)};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      geometry.affine[row][column] = matrix.m[row][column] * millimetres(image.xyz_units);
    }
  }
  return geometry;
}

template <typename Header>
NiftiHeader described(const Header& header, Image image, const VolumeLimits& limits) {
  if (!image) {
    refuse_damaged("its header cannot be understood");
  }
  NiftiHeader result;
  result.bytes.assign(reinterpret_cast<const char*>(&header), sizeof header);
  result.geometry = geometry_of(*image);
  check_volume(result.geometry, limits);
  result.type = image->datatype;
  result.voxel_bytes = image->nbyper;
  result.offset = image->iname_offset;
  const bool coloured = result.type == DT_RGB24 || result.type == DT_RGBA32;
  if (!coloured && image->scl_slope != 0) {  // 0: not scaled
    result.slope = image->scl_slope;
    result.intercept = image->scl_inter;
  }
  return result;
}

template <typename Header, typename Convert>
NiftiHeader parse(std::string_view bytes, int version, const Convert& convert,
                  const VolumeLimits& limits) {
  bool swapped = false;
  auto header = native<Header>(bytes, version, swapped);
  check_magic(header, version);
  check_dimensions(header);
  for (auto axis = static_cast<std::size_t>(header.dim[0]) + 1; axis <= 3; ++axis) {
    header.pixdim[axis] = header.pixdim[axis] == 0 ? 1 : header.pixdim[axis];  // of no axis
  }
  check_layout(header);
  NiftiHeader result =
      described(header, Image(convert(header, nullptr), &nifti_image_free), limits);
  result.swapped = swapped;
  return result;
}

}  // namespace

std::size_t nifti_header_bytes(std::string_view start) {
  for (const std::size_t size : {sizeof(nifti_1_header), sizeof(nifti_2_header)}) {
    std::array<char, kNiftiStart> number{};
    const auto value = static_cast<std::int32_t>(size);
    std::memcpy(number.data(), &value, number.size());
    const std::string same(number.begin(), number.end());
    const std::string other(number.rbegin(), number.rend());
    if (start == same || start == other) {
      return size;
    }
  }
  throw DataError("not a NIfTI file, or damaged");
}

NiftiHeader parse_nifti_header(std::string_view bytes, const VolumeLimits& limits) {
  if (bytes.size() == sizeof(nifti_1_header)) {
    return parse<nifti_1_header>(bytes, 1, &nifti_convert_n1hdr2nim, limits);
  }
  return parse<nifti_2_header>(bytes, 2, &nifti_convert_n2hdr2nim, limits);
}

}  // namespace leaf::data
