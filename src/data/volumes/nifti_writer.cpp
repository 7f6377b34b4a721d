#include <ATen/ATen.h>
#include <nifti2_io.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/volume.h"
#include "volume_reader.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kNoExtensions = 4;  // bytes behind the header that say so

struct Stored {
  int type;
  int bits;
};

Stored stored_type(const at::Tensor& voxels) {
  switch (voxels.scalar_type()) {
    case at::kByte:
      return {DT_UINT8, 8};
    case at::kInt:
      return {DT_INT32, 32};
    case at::kFloat:
      return {DT_FLOAT32, 32};
    default:
      throw DataError("voxels to be written are uint8, int32 or float32");
  }
}

/// Whether one may stand for the other. Slices of a tilted gantry lie askew, which a rotation
/// cannot say.
bool is_close(const nifti_dmat44& rotation, const nifti_dmat44& matrix) {
  constexpr double kOfAVoxel = 1e-4;
  for (std::size_t column = 0; column < 3; ++column) {
    double difference = 0;
    double side = 0;
    for (std::size_t row = 0; row < 3; ++row) {
      difference += std::abs(rotation.m[row][column] - matrix.m[row][column]);
      side += std::abs(matrix.m[row][column]);
    }
    if (difference > kOfAVoxel * side) {
      return false;
    }
  }
  return true;
}

/// The voxels' sides, and the qform where there is one.
void state_rotation(const nifti_dmat44& matrix, nifti_1_header& header) {
  double b = 0, c = 0, d = 0, x = 0, y = 0, z = 0, dx = 0, dy = 0, dz = 0, side = 1;
  nifti_dmat44_to_quatern(matrix, &b, &c, &d, &x, &y, &z, &dx, &dy, &dz, &side);
  header.quatern_b = static_cast<float>(b);
  header.quatern_c = static_cast<float>(c);
  header.quatern_d = static_cast<float>(d);
  header.qoffset_x = static_cast<float>(x);
  header.qoffset_y = static_cast<float>(y);
  header.qoffset_z = static_cast<float>(z);
  header.pixdim[0] = static_cast<float>(side);
  header.pixdim[1] = static_cast<float>(dx);
  header.pixdim[2] = static_cast<float>(dy);
  header.pixdim[3] = static_cast<float>(dz);
  const auto rotation = nifti_quatern_to_dmat44(b, c, d, x, y, z, dx, dy, dz, side);
  header.qform_code = is_close(rotation, matrix) ? NIFTI_XFORM_SCANNER_ANAT : NIFTI_XFORM_UNKNOWN;
}

/// The header of a file that states none, in mm.
nifti_1_header header_of(const VolumeGeometry& geometry) {
  constexpr std::int64_t kMost = 32767;
  nifti_1_header header{};
  header.sizeof_hdr = sizeof header;
  header.dim[0] = 3;
  nifti_dmat44 matrix{};
  matrix.m[3][3] = 1;
  for (std::size_t i = 0; i < 3; ++i) {
    if (geometry.size[i] > kMost) {
      throw DataError(str("a volume of ", geometry.size[i],
                          " voxels along an axis; NIfTI-1 has at most ", kMost));
    }
    header.dim[i + 1] = static_cast<short>(geometry.size[i]);
    std::copy(geometry.affine[i].begin(), geometry.affine[i].end(), matrix.m[i]);
  }
  for (std::size_t i = 0; i < 4; ++i) {
    header.srow_x[i] = static_cast<float>(matrix.m[0][i]);
    header.srow_y[i] = static_cast<float>(matrix.m[1][i]);
    header.srow_z[i] = static_cast<float>(matrix.m[2][i]);
  }
  header.sform_code = NIFTI_XFORM_SCANNER_ANAT;
  state_rotation(matrix, header);
  header.xyzt_units = NIFTI_UNITS_MM;
  std::memcpy(header.magic, "n+1", 4);
  return header;
}

/// Makes a source's header that of other voxels: where they lie stays, what they mean does not.
template <typename Header>
std::string with_voxels(Header header, Stored stored) {
  header.dim[0] = header.dim[0] < 3 ? header.dim[0] : 3;
  for (std::size_t i = 4; i < 8; ++i) {
    header.dim[i] = 1;
  }
  header.datatype = static_cast<std::int16_t>(stored.type);
  header.bitpix = static_cast<std::int16_t>(stored.bits);
  header.vox_offset = sizeof header + kNoExtensions;
  header.scl_slope = 1;
  header.scl_inter = 0;
  header.cal_max = header.cal_min = 0;
  header.intent_code = NIFTI_INTENT_NONE;
  header.intent_p1 = header.intent_p2 = header.intent_p3 = 0;
  // Converters write names, dates and files of patients into these.
  const auto clear = [](auto& text) { std::fill(std::begin(text), std::end(text), '\0'); };
  clear(header.intent_name);
  clear(header.descrip);
  clear(header.aux_file);
  if constexpr (requires { header.db_name; }) {  // NIfTI-1 alone
    clear(header.db_name);
  }
  return std::string(reinterpret_cast<const char*>(&header), sizeof header);
}

template <typename Header>
Header header_from(const std::string& bytes) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

std::string header_for(const Volume& source, Stored stored) {
  const std::string bytes = source.nifti_header();
  if (bytes.empty()) {
    return with_voxels(header_of(source.geometry()), stored);
  }
  return bytes.size() == sizeof(nifti_2_header)
             ? with_voxels(header_from<nifti_2_header>(bytes), stored)
             : with_voxels(header_from<nifti_1_header>(bytes), stored);
}

/// Packs, unless the file's name says that it is not packed.
class Packer {
 public:
  /// Errors name `path`, which `temporary` becomes.
  Packer(const fs::path& temporary, const fs::path& path, bool packed)
      : path_(path), file_(::gzopen(temporary.c_str(), packed ? "wb" : "wbT")) {
    require(file_ != nullptr);
  }
  ~Packer() {
    if (file_ != nullptr) {
      ::gzclose(file_);
    }
  }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  void write(const char* from, std::size_t count) {
    constexpr std::size_t kMost = std::size_t{1} << 26;
    while (count > 0) {
      const auto piece = static_cast<unsigned>(std::min(count, kMost));
      require(::gzwrite(file_, from, piece) == static_cast<int>(piece));
      from += piece;
      count -= piece;
    }
  }

  void finish() { require(::gzclose(std::exchange(file_, nullptr)) == Z_OK); }

 private:
  void require(bool succeeded) const {
    if (!succeeded) {
      throw_cannot_write(path_, errno);
    }
  }

  fs::path path_;
  gzFile file_;
};

}  // namespace

void write_volume(const fs::path& path, const Volume& source, const at::Tensor& slices) {
  const at::Tensor voxels = as_voxels(slices, source.slicing());
  std::string header = header_for(source, stored_type(voxels));
  header.append(kNoExtensions, '\0');
  const bool packed = to_lower(path.filename().string()).ends_with(".gz");
  replace_file(path, [&](const fs::path& temporary) {
    errno = 0;
    Packer file(temporary, path, packed);
    file.write(header.data(), header.size());
    file.write(static_cast<const char*>(voxels.const_data_ptr()), voxels.nbytes());
    file.finish();
  });
}

}  // namespace leaf::data
