#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace leaf::tensorboard {

/// The first record of an event file.
std::string file_version_record(double wall_time);

/// One scalar as a record of TensorBoard's event format (a TFRecord that holds an Event message).
std::string scalar_record(double wall_time, std::int64_t step, std::string_view tag, float value);

/// The records of an event file's bytes whose step is at most `last_step`; what follows the last
/// complete record is dropped.
std::string records_up_to(std::string_view bytes, std::int64_t last_step);

/// A picture of three channels as a PNG or JPEG file holds it.
struct Picture {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::string encoded;
};

/// One picture as such a record.
std::string image_record(double wall_time, std::int64_t step, std::string_view tag,
                         const Picture& picture);

/// CRC-32C (Castagnoli) of the bytes.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace leaf::tensorboard
