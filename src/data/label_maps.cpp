#include "leaf/data/label_maps.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

#include "leaf/core/files.h"
#include "leaf/data/image_io.h"

namespace leaf::data {
namespace {

constexpr std::int64_t kLargestByte = 255;

/// The value of each class in files.
std::vector<std::int64_t> written_values(const MaskClasses& classes) {
  std::vector<std::int64_t> values;
  for (const MaskClass& each : classes.list) {
    values.push_back(each.values.front());
  }
  return values;
}

/// int64 of the labels' shape: their values.
at::Tensor values_of(const at::Tensor& labels, const std::vector<std::int64_t>& values) {
  return at::tensor(values).index_select(0, labels.to(at::kLong).flatten()).view_as(labels);
}

at::Tensor coloured(const at::Tensor& colours) {
  std::vector<at::Tensor> channels;
  for (const int shift : {16, 8, 0}) {
    channels.push_back(colours.bitwise_right_shift(shift).bitwise_and(255).to(at::kByte));
  }
  return at::stack(channels, 2);
}

}  // namespace

at::Tensor class_region(const at::Tensor& labels, std::size_t index, const MaskClasses& classes) {
  const auto label = static_cast<std::int64_t>(index);
  if (!classes.several()) {
    return label == 0 ? labels.eq(0) : labels.ne(0);
  }
  const bool nested = classes.coding == ClassCoding::kChannels && label > 0;
  return nested ? labels.ge(label) : labels.eq(label);
}

at::Tensor volume_values(const at::Tensor& labels, const MaskClasses& classes) {
  if (!classes.by_value() || classes.are_colours) {
    return labels;
  }
  const std::vector<std::int64_t> values = written_values(classes);
  const bool bytes = *std::max_element(values.begin(), values.end()) <= kLargestByte;
  std::vector<at::Tensor> layers;  // one by one: in between, a label takes nine bytes
  for (const at::Tensor& layer : labels.unbind()) {
    layers.push_back(values_of(layer, values).to(bytes ? at::kByte : at::kInt));
  }
  return at::stack(layers);
}

std::string encode_label_map(const at::Tensor& labels, const MaskClasses& classes) {
  if (!classes.by_value()) {
    return encode_png(labels.ne(0).to(at::kByte).mul_(kLargestByte));
  }
  const at::Tensor map = classes.several() ? labels : labels.ne(0).to(at::kByte);
  const std::vector<std::int64_t> values = written_values(classes);
  const at::Tensor written = values_of(map, values);
  if (classes.are_colours) {
    return encode_png(coloured(written));
  }
  const bool bytes = *std::max_element(values.begin(), values.end()) <= kLargestByte;
  return encode_png(written.to(bytes ? at::kByte : at::kInt));
}

void write_label_map(const std::filesystem::path& path, const at::Tensor& labels,
                     const MaskClasses& classes) {
  write_file(path, encode_label_map(labels, classes));
}

}  // namespace leaf::data
