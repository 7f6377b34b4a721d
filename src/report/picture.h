#pragma once

#include <ATen/core/TensorBody.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "leaf/report/report.h"

namespace leaf::report {

/// A case as four pictures of one small size, uint8 [h,w,3].
struct Pictures {
  at::Tensor image;  ///< black where there is none
  at::Tensor truth;
  at::Tensor prediction;
  at::Tensor
      errors;  ///< on the darkened image: green both, red another prediction, blue truth alone
};

/// Shrunk so that the longer side has at most `longest` pixels.
Pictures make_pictures(const Case& one, std::int64_t longest);

/// A label map of any size as such a picture, of the size that `like` has.
at::Tensor mask_picture(const at::Tensor& labels, std::size_t classes, const at::Tensor& like);

/// "data:image/jpeg;base64,..." of uint8 [H,W,3].
std::string data_uri(const at::Tensor& picture);

}  // namespace leaf::report
