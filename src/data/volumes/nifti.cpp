#include <ATen/ATen.h>
#include <nifti2_io.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <utility>

#include "data/readers/reader.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "nifti_header.h"
#include "volume_reader.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// A file that zlib unpacks where it is packed.
class PackedFile {
 public:
  explicit PackedFile(const fs::path& path) : file_(::gzopen(path.c_str(), "rb"), &::gzclose) {
    if (!file_) {
      throw DataError(str("it cannot be opened (", std::strerror(errno), ")"));
    }
    constexpr unsigned kBuffer = 1 << 18;
    ::gzbuffer(file_.get(), kBuffer);
  }

  /// Throws DataError where the file has fewer bytes.
  void read(char* to, std::int64_t count) {
    constexpr std::int64_t kMost = 1 << 26;
    while (count > 0) {
      const auto wanted = static_cast<unsigned>(std::min(count, kMost));
      const int got = ::gzread(file_.get(), to, wanted);
      if (got <= 0) {
        refuse_damaged(problem());
      }
      to += got;
      count -= got;
    }
  }

  void skip(std::int64_t count) {
    std::array<char, 4096> unused{};
    for (; count > 0; count -= static_cast<std::int64_t>(unused.size())) {
      read(unused.data(), std::min(count, static_cast<std::int64_t>(unused.size())));
    }
  }

  /// Throws DataError where zlib, at the file's end, finds its checksum wrong.
  void check_end() {
    char beyond = 0;
    if (::gzread(file_.get(), &beyond, 1) < 0) {
      refuse_damaged(problem());
    }
  }

 private:
  std::string problem() const {
    int code = Z_OK;
    const char* words = ::gzerror(file_.get(), &code);
    return code == Z_OK || code == Z_BUF_ERROR ? "it ends early" : words;
  }

  std::unique_ptr<gzFile_s, decltype(&::gzclose)> file_;
};

NiftiHeader read_header(PackedFile& file, const VolumeLimits& limits) {
  std::string bytes(kNiftiStart, '\0');
  file.read(bytes.data(), static_cast<std::int64_t>(kNiftiStart));
  bytes.resize(nifti_header_bytes(bytes));
  file.read(bytes.data() + kNiftiStart, static_cast<std::int64_t>(bytes.size() - kNiftiStart));
  return parse_nifti_header(bytes, limits);
}

/// Throws DataError for a file that is too short for its voxels, packed as well as can be, so that
/// no memory is taken for them.
void check_length(const fs::path& path, std::int64_t wanted) {
  constexpr std::int64_t kBestPacking = 1032;  // zlib's
  const auto length = static_cast<std::int64_t>(fs::file_size(path));
  if (wanted / kBestPacking > length) {
    refuse_damaged("it ends early");
  }
}

/// kByte [k, j, i, bytes of a voxel]
at::Tensor read_voxels(const fs::path& path, const NiftiHeader& header) {
  const auto& size = header.geometry.size;
  check_length(path, size[0] * size[1] * size[2] * header.voxel_bytes);
  PackedFile file(path);
  file.skip(header.offset);
  at::Tensor voxels = at::empty({size[2], size[1], size[0], header.voxel_bytes}, at::kByte);
  file.read(static_cast<char*>(voxels.data_ptr()), static_cast<std::int64_t>(voxels.nbytes()));
  file.check_end();
  return voxels;
}

/// Calls `use` with every number of a slice, kByte [H, W, bytes] without gaps.
template <typename T, typename Use>
void for_each_number(const at::Tensor& slice, bool swapped, const Use& use) {
  const auto* from = static_cast<const char*>(slice.const_data_ptr());
  for (std::int64_t i = 0; i < slice.size(0) * slice.size(1); ++i, from += sizeof(T)) {
    std::array<char, sizeof(T)> bytes;
    std::copy_n(from, sizeof(T), bytes.begin());
    if (swapped) {
      std::reverse(bytes.begin(), bytes.end());
    }
    T number;
    std::memcpy(&number, bytes.data(), sizeof(T));
    use(number);
  }
}

/// Throws DataError for numbers that 32 bits with a sign do not hold.
template <typename T>
Picture whole_numbers(const at::Tensor& slice, bool swapped) {
  Picture picture;
  picture.bits = std::min<std::int64_t>(8 * sizeof(T), 32) - (std::is_signed_v<T> ? 1 : 0);
  picture.samples = new_samples(slice.size(0), slice.size(1), 1, at::kInt);
  auto* to = picture.samples.mutable_data_ptr<std::int32_t>();
  for_each_number<T>(slice, swapped, [&](T number) {
    if (!std::in_range<std::int32_t>(number)) {
      throw DataError(str("it holds the value ", number,
                          ", which 32 bits with a sign do not hold; ", "convert it to float32"));
    }
    *to++ = static_cast<std::int32_t>(number);
  });
  return picture;
}

template <typename T>
Picture numbers(const at::Tensor& slice, const NiftiHeader& header) {
  if constexpr (std::is_integral_v<T>) {
    if (!header.scaled()) {
      return whole_numbers<T>(slice, header.swapped);
    }
  }
  Picture picture;
  picture.bits = 32;
  picture.samples = new_samples(slice.size(0), slice.size(1), 1, at::kFloat);
  auto* to = picture.samples.mutable_data_ptr<float>();
  for_each_number<T>(slice, header.swapped, [&](T number) {
    *to++ = static_cast<float>(static_cast<double>(number) * header.slope + header.intercept);
  });
  return picture;
}

/// Bytes as they are: of grey one, of colours three, and one more with alpha.
Picture bytes_of(const at::Tensor& slice) {
  Picture picture;
  picture.samples = slice;
  picture.alpha = slice.size(2) == 4;
  return picture;
}

Picture picture_of(const at::Tensor& slice, const NiftiHeader& header) {
  switch (header.type) {
    case DT_UINT8:
      return header.scaled() ? numbers<std::uint8_t>(slice, header) : bytes_of(slice);
    case DT_INT8:
      return numbers<std::int8_t>(slice, header);
    case DT_UINT16:
      return numbers<std::uint16_t>(slice, header);
    case DT_INT16:
      return numbers<std::int16_t>(slice, header);
    case DT_UINT32:
      return numbers<std::uint32_t>(slice, header);
    case DT_INT32:
      return numbers<std::int32_t>(slice, header);
    case DT_UINT64:
      return numbers<std::uint64_t>(slice, header);
    case DT_INT64:
      return numbers<std::int64_t>(slice, header);
    case DT_FLOAT32:
      return numbers<float>(slice, header);
    case DT_FLOAT64:
      return numbers<double>(slice, header);
    default:  // DT_RGB24 and DT_RGBA32: others were refused with the header
      return bytes_of(slice);
  }
}

class NiftiVolume final : public Volume {
 public:
  NiftiVolume(const fs::path& path, NiftiHeader header, SliceAxis axis)
      : Volume(path.string(), header.geometry, slicing_of(header.geometry, axis)),
        path_(path),
        header_(std::move(header)) {}

  std::string nifti_header() const override { return header_.bytes; }

 private:
  Picture read(std::int64_t index) const override {
    std::call_once(was_read_, [this] { voxels_ = read_voxels(path_, header_); });
    const std::size_t across = slicing().across;
    const std::int64_t place = slicing().backwards[across] ? slices() - 1 - index : index;
    const at::Tensor layer = voxels_.narrow(2 - static_cast<std::int64_t>(across), place, 1);
    return picture_of(as_slices(layer, slicing())[0].contiguous(), header_);
  }

  fs::path path_;
  NiftiHeader header_;
  mutable std::once_flag was_read_;
  mutable at::Tensor voxels_;
};

bool takes(const fs::path& path) {
  const std::string name = to_lower(path.filename().string());
  return (name.ends_with(".nii") || name.ends_with(".nii.gz")) && !name.starts_with('.');
}

std::unique_ptr<Volume> open(const fs::path& path, const VolumeOptions& options) {
  if (!fs::is_regular_file(path)) {  // a pipe would be waited for
    throw DataError(fs::is_directory(path) ? "it is a folder" : "it is not a regular file");
  }
  PackedFile file(path);
  return std::make_unique<NiftiVolume>(path, read_header(file, options.limits), options.axis);
}

}  // namespace

VolumeReader nifti_volume_reader() { return {&takes, &open}; }

}  // namespace leaf::data
