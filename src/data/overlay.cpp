#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "leaf/data/image_io.h"
#include "leaf/data/label_maps.h"
#include "picture_view.h"

namespace leaf::data {
namespace {

const cv::Scalar kYellow(255, 220, 0);

/// Of a picture's shorter side, a line's width in pixels.
int line_width(const cv::Mat& canvas) {
  return std::max(1, std::min(canvas.rows, canvas.cols) / 256);
}

void draw_outline(cv::Mat& canvas, const at::Tensor& mask, const cv::Scalar& colour) {
  const at::Tensor dense = mask.ne(0).to(at::kByte).contiguous();
  std::vector<std::vector<cv::Point>> outlines;
  cv::findContours(picture_view(dense), outlines, cv::RETR_CCOMP, cv::CHAIN_APPROX_NONE);
  cv::drawContours(canvas, outlines, -1, colour, line_width(canvas), cv::LINE_8);
}

cv::Scalar scalar(const ClassColour& colour) { return cv::Scalar(colour[0], colour[1], colour[2]); }

/// Truth is the class's colour, half way to white.
cv::Scalar pale(const ClassColour& colour) {
  const cv::Scalar half = scalar(colour) * 0.5;
  return {half[0] + 127, half[1] + 127, half[2] + 127};
}

/// Colours a picture, uint8 [H,W,3], where the mask is not 0.
void tint(const at::Tensor& picture, const at::Tensor& mask, const cv::Scalar& colour) {
  constexpr double kShare = 0.35;
  cv::Mat canvas = picture_view(picture);
  cv::Mat tinted;
  cv::addWeighted(canvas, 1 - kShare, cv::Mat(canvas.size(), canvas.type(), colour), kShare, 0,
                  tinted);
  const at::Tensor inside = mask.ne(0).to(at::kByte).contiguous();
  tinted.copyTo(canvas, picture_view(inside));
}

struct LegendItem {
  std::string text;
  cv::Scalar colour;
};

/// A strip as wide as the picture: lines of names in their colours, on black.
cv::Mat legend(const std::vector<LegendItem>& items, int width) {
  constexpr int kLegendFont = cv::FONT_HERSHEY_SIMPLEX;
  constexpr double kWidest = 22;  // of the font, in pixels at scale 1
  std::size_t longest = 1;
  for (const LegendItem& item : items) {
    longest = std::max(longest, item.text.size());
  }
  const double scale = std::clamp(width / (kWidest * static_cast<double>(longest)), 0.3, 0.8);
  const int line = static_cast<int>(40 * scale);
  cv::Mat strip(line * static_cast<int>(items.size()), width, CV_8UC3, cv::Scalar(0, 0, 0));
  for (std::size_t i = 0; i < items.size(); ++i) {
    const cv::Point at(line / 3, line * static_cast<int>(i) + line * 3 / 4);
    cv::putText(strip, items[i].text, at, kLegendFont, scale, items[i].colour, 1, cv::LINE_AA);
  }
  return strip;
}

at::Tensor with_legend(const at::Tensor& picture, const std::vector<LegendItem>& items) {
  const cv::Mat strip = legend(items, static_cast<int>(picture.size(1)));
  const at::Tensor below = at::from_blob(strip.data, {strip.rows, strip.cols, 3}, at::kByte);
  return at::cat({picture, below});
}

}  // namespace

ClassColour class_colour(std::size_t index) {
  static constexpr std::array<ClassColour, kMostClasses> kColours{{{0, 0, 0},
                                                                   {255, 220, 0},
                                                                   {0, 190, 255},
                                                                   {255, 90, 200},
                                                                   {90, 230, 90},
                                                                   {255, 140, 40},
                                                                   {160, 120, 255},
                                                                   {255, 70, 60}}};
  return kColours.at(index);
}

at::Tensor overlay(const at::Tensor& rgb, const at::Tensor& mask,
                   const std::optional<at::Tensor>& truth) {
  const at::Tensor picture = rgb.clone(at::MemoryFormat::Contiguous);
  cv::Mat canvas = picture_view(picture);
  if (truth) {
    draw_outline(canvas, *truth, cv::Scalar(0, 220, 0));
  }
  draw_outline(canvas, mask, kYellow);
  return picture;
}

at::Tensor filled_overlay(const at::Tensor& rgb, const at::Tensor& mask) {
  const at::Tensor picture = rgb.clone(at::MemoryFormat::Contiguous);
  tint(picture, mask, kYellow);
  return overlay(picture, mask);
}

at::Tensor filled_class_overlay(const at::Tensor& rgb, const at::Tensor& labels,
                                const MaskClasses& classes) {
  if (!classes.several()) {
    return filled_overlay(rgb, labels);
  }
  const at::Tensor picture = rgb.clone(at::MemoryFormat::Contiguous);
  for (std::size_t index = 1; index < classes.list.size(); ++index) {
    tint(picture, labels.eq(static_cast<std::int64_t>(index)), scalar(class_colour(index)));
  }
  return class_overlay(picture, labels, classes);
}

at::Tensor class_overlay(const at::Tensor& rgb, const at::Tensor& labels,
                         const MaskClasses& classes, const std::optional<at::Tensor>& truth) {
  if (!classes.several()) {
    return overlay(rgb, labels, truth);
  }
  const at::Tensor picture = rgb.clone(at::MemoryFormat::Contiguous);
  cv::Mat canvas = picture_view(picture);
  std::vector<LegendItem> items;
  for (std::size_t index = 1; truth && index < classes.list.size(); ++index) {
    const cv::Scalar colour = pale(class_colour(index));
    draw_outline(canvas, class_region(*truth, index, classes), colour);
    items.push_back({"true " + classes.list[index].name, colour});
  }
  for (std::size_t index = 1; index < classes.list.size(); ++index) {
    const cv::Scalar colour = scalar(class_colour(index));
    draw_outline(canvas, class_region(labels, index, classes), colour);
    items.push_back({classes.list[index].name, colour});
  }
  return with_legend(picture, items);
}

}  // namespace leaf::data
