#include "leaf/data/volume.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "leaf/core/error.h"
#include "memory_file.h"
#include "targets.h"

/// A volume is known by its name: a link of such a name leads to the bytes.
void leaf::fuzz::volume(std::string_view bytes) {
  constexpr std::int64_t kVoxels = 1 << 16;
  const MemoryFile file(bytes);
  const std::string link = "/tmp/leaf-fuzz-" + std::to_string(::getpid()) + ".nii.gz";
  ::unlink(link.c_str());
  if (::symlink(file.path().c_str(), link.c_str()) != 0) {
    std::abort();
  }
  try {
    const auto volume = data::open_volume(
        link, {.limits = {.max_voxels = kVoxels, .slice = {.max_pixels = kVoxels}}});
    const data::ImageSize size = volume->slice_size();
    const data::Picture all = data::stacked_slices(*volume);
    const std::int64_t channels = all.samples.size(2) - (all.alpha ? 1 : 0);
    if (all.samples.size(0) != volume->slices() * size.height ||
        all.samples.size(1) != size.width || (channels != 1 && channels != 3)) {
      std::abort();
    }
    volume->span();
  } catch (const DataError&) {
  }
  ::unlink(link.c_str());
}
