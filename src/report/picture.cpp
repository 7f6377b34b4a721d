#include "picture.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "data/transforms.h"
#include "leaf/core/base64.h"
#include "leaf/data/image_io.h"

namespace leaf::report {
namespace {

struct Size {
  std::int64_t height;
  std::int64_t width;
};

Size shrunk(Size size, std::int64_t longest) {
  const std::int64_t side = std::max(size.height, size.width);
  if (side <= longest) {
    return size;
  }
  return {std::max<std::int64_t>(1, size.height * longest / side),
          std::max<std::int64_t>(1, size.width * longest / side)};
}

/// float [H,W] in [0,1], averaged where it shrinks.
at::Tensor resized(const at::Tensor& plane, Size size) {
  return data::resize_probability(plane.contiguous(), size.height, size.width);
}

at::Tensor resized_mask(const at::Tensor& mask, Size size) {
  return resized(mask.ne(0).to(at::kFloat), size) > 0.5;
}

at::Tensor resized_region(const at::Tensor& labels, std::size_t index, std::size_t classes,
                          Size size) {
  return resized_mask(classes == 2 ? labels : labels.eq(static_cast<std::int64_t>(index)), size);
}

/// uint8 [H,W,3] -> float [h,w,3] in [0,1]
at::Tensor resized_rgb(const at::Tensor& rgb, Size size) {
  std::vector<at::Tensor> planes;
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    planes.push_back(resized(rgb.select(2, channel).to(at::kFloat).div(255), size));
  }
  return at::stack(planes, 2);
}

at::Tensor to_bytes(const at::Tensor& picture) {
  return picture.mul(255).round().clamp(0, 255).to(at::kByte).contiguous();
}

/// Of two classes the target in white, of several each in its colour: uint8 [h,w,3].
at::Tensor label_picture(const at::Tensor& labels, std::size_t classes, Size size) {
  at::Tensor picture = at::zeros({size.height, size.width, 3}, at::kByte);
  for (std::size_t index = 1; index < classes; ++index) {
    const data::ClassColour colour =
        classes == 2 ? data::ClassColour{255, 255, 255} : data::class_colour(index);
    const at::Tensor ink = at::tensor(at::ArrayRef<std::uint8_t>(colour.data(), colour.size()));
    picture = at::where(resized_region(labels, index, classes, size).unsqueeze(2), ink, picture);
  }
  return picture.contiguous();
}

/// Where both have the same class beside the background.
at::Tensor agreement(const Case& one, Size size) {
  at::Tensor right = at::zeros({size.height, size.width}, at::kBool);
  for (std::size_t index = 1; index < one.classes; ++index) {
    right = right | (resized_region(one.truth, index, one.classes, size) &
                     resized_region(one.prediction, index, one.classes, size));
  }
  return right;
}

void paint(at::Tensor& picture, const at::Tensor& where, std::array<float, 3> colour) {
  const at::Tensor ink = at::tensor(at::ArrayRef<float>(colour.data(), colour.size()));
  picture = at::where(where.unsqueeze(2), picture * 0.35 + ink * 0.65, picture);
}

}  // namespace

Pictures make_pictures(const Case& one, std::int64_t longest) {
  const Size size = shrunk({one.truth.size(0), one.truth.size(1)}, longest);
  const at::Tensor truth = resized_mask(one.truth, size);
  const at::Tensor prediction = resized_mask(one.prediction, size);
  const at::Tensor image =
      one.image ? resized_rgb(*one.image, size) : at::zeros({size.height, size.width, 3});
  const at::Tensor right = agreement(one, size);
  at::Tensor errors = image * 0.7;
  paint(errors, right, {0.1F, 0.75F, 0.3F});
  paint(errors, prediction & ~right, {0.95F, 0.2F, 0.15F});
  paint(errors, truth & ~right & ~prediction, {0.2F, 0.5F, 1.0F});
  return {to_bytes(image), label_picture(one.truth, one.classes, size),
          label_picture(one.prediction, one.classes, size), to_bytes(errors)};
}

at::Tensor mask_picture(const at::Tensor& labels, std::size_t classes, const at::Tensor& like) {
  return label_picture(labels, classes, {like.size(0), like.size(1)});
}

std::string data_uri(const at::Tensor& picture) {
  return "data:image/jpeg;base64," + base64(data::encode_jpeg(picture, 85));
}

}  // namespace leaf::report
