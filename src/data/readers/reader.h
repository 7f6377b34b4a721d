#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/data/picture.h"

namespace leaf::data {

/// A format that is read: a row of all_readers().
struct Reader {
  std::vector<std::string> extensions;  ///< of its files' names: ".png"
  bool (*recognises)(std::string_view bytes);
  /// Throws DataError, whose message is the reason alone, for what is not read and for damaged
  /// files.
  Picture (*decode)(std::string_view bytes, const PictureLimits& limits);
};

const std::vector<Reader>& all_readers();

/// Throws DataError unless the size that a header states is one to decode.
void check_size(std::int64_t width, std::int64_t height, const PictureLimits& limits);

/// The file is damaged or cut short, in the words of the library that decodes it.
[[noreturn]] void refuse_damaged(std::string_view words);

/// The file is in order, but `what` ("64-bit samples") is not read.
[[noreturn]] void refuse_unread(std::string_view what);

/// Uninitialised samples [height,width,channels] of the picture's format.
at::Tensor new_samples(std::int64_t height, std::int64_t width, std::int64_t channels,
                       at::ScalarType type);

/// kByte samples of 0 to `largest` spread over 0..255.
void spread_to_bytes(at::Tensor& samples, std::int64_t largest);

/// Distance in mm between pixels of which there are `count` in `millimetres`; 0 where that is none.
double spacing_of(double count, double millimetres);

}  // namespace leaf::data
