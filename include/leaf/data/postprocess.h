#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leaf::data {

/// One change of a finished mask, by its name in the table of postprocess.cpp.
struct PostprocessStep {
  std::string name;
  std::int64_t pixels = 0;  ///< of remove-small=PIXELS
};

/// In the order in which they are applied.
using Postprocess = std::vector<PostprocessStep>;

/// Reads "largest-component,fill-holes,remove-small=64"; an empty text is no step. Throws
/// ConfigError, which says `what` was wrong and names the steps that there are.
///   largest-component  keeps the largest group of connected pixels (of several, the topmost)
///   fill-holes         fills what the target encloses
///   remove-small=N     removes groups of fewer than N pixels
/// Target pixels are connected to their eight neighbours, background pixels to four.
Postprocess parse_postprocess(const std::string& text, std::string_view what = "postprocess");

/// The text that parse_postprocess() reads.
std::string postprocess_text(const Postprocess& steps);

/// mask uint8 [H,W], 0 or 255 -> a changed copy; the mask itself where there is no step.
at::Tensor apply_postprocess(const Postprocess& steps, const at::Tensor& mask);

/// labels uint8 [H,W] -> int32 [H,W]: the connected parts of each label in turn, numbered from 1; 0
/// is background.
at::Tensor numbered_parts(const at::Tensor& labels);

}  // namespace leaf::data
