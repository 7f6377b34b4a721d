#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>

namespace leaf::apps {

/// An artificial picture of a lesion and where the lesion is.
struct Phantom {
  at::Tensor image;  ///< uint8 [size,size,3]
  at::Tensor mask;   ///< uint8 [size,size], 255 on the target; empty for about one in ten
};

/// The phantom number `index` of a seed: textured, unevenly lit tissue with an irregular,
/// soft-edged target that is darker or brighter than its surroundings, among hairs, specks, rings
/// and covers.
Phantom make_phantom(std::int64_t size, std::uint64_t seed, std::uint64_t index);

/// Writes phantoms 1 to `count` as folder/images/0001.png and folder/masks/0001.png, a data set of
/// layout `folder`. Throws ConfigError for a count below 1 or a size below 16, FileError
/// when writing fails.
void write_phantoms(const std::filesystem::path& folder, std::int64_t count, std::int64_t size,
                    std::uint64_t seed);

}  // namespace leaf::apps
