#include "mask_labels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "mask_samples.h"

namespace leaf::data {
namespace {

/// In a table of labels: the pixel is to be ignored.
constexpr std::uint8_t kIgnored = 255;

using Table = std::map<double, std::uint8_t>;

Table label_table(const MaskClasses& classes) {
  Table table;
  for (std::size_t label = 0; label < classes.list.size(); ++label) {
    for (const ClassValue value : classes.list[label].values) {
      table[value] = static_cast<std::uint8_t>(label);
    }
  }
  for (const ClassValue value : classes.ignored) {
    table[value] = kIgnored;
  }
  return table;
}

/// Masks are made of runs: a look-up for each. Returns the first pixel that no class has, else the
/// number of pixels.
template <typename ValueAt>
std::int64_t look_up(const at::Tensor& labels, const Table& table, const ValueAt& value_at) {
  auto* to = labels.mutable_data_ptr<std::uint8_t>();
  auto found = table.begin();
  for (std::int64_t i = 0; i < labels.numel(); ++i) {
    const double value = value_at(i);
    if (value != found->first) {
      found = table.find(value);
      if (found == table.end()) {
        return i;
      }
    }
    to[i] = found->second;
  }
  return labels.numel();
}

/// The colours of a picture of 8 bits, pixel by pixel.
class Colours {
 public:
  Colours(const Picture& picture, const std::string& name)
      : palette_(picture.palette),
        samples_(picture.samples.contiguous()),
        channels_(samples_.size(2)),
        grey_(channels_ - (picture.alpha ? 1 : 0) < 3) {
    if (samples_.scalar_type() != at::kByte) {
      throw DataError(str("mask '", name, "' has ", picture.bits,
                          " bits a sample; classes that are colours need 8"));
    }
  }

  ClassValue operator()(std::int64_t pixel) const {
    const auto* sample = samples_.const_data_ptr<std::uint8_t>() + pixel * channels_;
    if (palette_.empty()) {
      return grey_ ? number(sample[0], sample[0], sample[0])
                   : number(sample[0], sample[1], sample[2]);
    }
    if (sample[0] >= palette_.size()) {
      return kNoColour;
    }
    const auto& colour = palette_[sample[0]];
    return number(colour[0], colour[1], colour[2]);
  }

 private:
  /// Of an index beyond the palette: no class has it.
  static constexpr ClassValue kNoColour = ClassValue{1} << 24U;

  static ClassValue number(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
    return ClassValue{red} << 16U | ClassValue{green} << 8U | ClassValue{blue};
  }

  const std::vector<std::array<std::uint8_t, 3>>& palette_;
  at::Tensor samples_;
  std::int64_t channels_;
  bool grey_;
};

[[noreturn]] void refuse_value(const std::string& value, std::int64_t pixel, std::int64_t width,
                               const Picture& picture, const std::string& name,
                               const MaskOptions& options) {
  throw DataError(
      str("mask '", name, "' holds ", value, " (first in row ", pixel / width, ", column ",
          pixel % width, "), which no class has; ", options.classes_name, " is ",
          join(class_items(options.classes), ", "), ": add it to a class or as ", "ignore=", value,
          picture.lossy ? "; the file is lossy, whose values are not exact: use PNG" : ""));
}

void split_ignored(Mask& mask) {
  const at::Tensor ignored = mask.labels.eq(kIgnored);
  if (ignored.any().item<bool>()) {
    mask.labels.masked_fill_(ignored, 0);
    mask.ignored = ignored.to(at::kByte);
  }
}

}  // namespace

void add_labels(Mask& mask, const Picture& picture, const std::string& name,
                const MaskOptions& options) {
  const MaskClasses& classes = options.classes;
  const Table table = label_table(classes);
  const std::int64_t width = mask.values.values.size(1);
  mask.labels = at::empty(mask.values.values.sizes(), at::kByte);
  if (classes.are_colours) {
    const Colours colours(picture, name);
    const std::int64_t end = look_up(mask.labels, table, colours);
    if (end < mask.labels.numel()) {
      refuse_value(value_text(colours(end), true), end, width, picture, name, options);
    }
  } else {
    with_samples(mask.values.values, [&](const auto* value) {
      const std::int64_t end =
          look_up(mask.labels, table, [&](auto i) { return static_cast<double>(value[i]); });
      if (end < mask.labels.numel()) {
        refuse_value(str(value[end] + 0), end, width, picture, name, options);
      }
    });
  }
  split_ignored(mask);
}

}  // namespace leaf::data
