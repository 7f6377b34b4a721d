#include "leaf/data/postprocess.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <sstream>

#include "core/calm_opencv.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace {

/// Groups of connected pixels of a mask; group 0 is the rest.
struct Groups {
  cv::Mat labels;  ///< int32 [H,W]
  cv::Mat stats;   ///< int32, a row a group

  Groups(const cv::Mat& mask, int connectivity) {
    cv::Mat centres;
    cv::connectedComponentsWithStats(mask, labels, stats, centres, connectivity);
  }

  int count() const { return stats.rows; }
  std::int64_t area(int group) const { return stats.at<int>(group, cv::CC_STAT_AREA); }
  int top(int group) const { return stats.at<int>(group, cv::CC_STAT_TOP); }
  bool touches_border(int group) const {
    const int left = stats.at<int>(group, cv::CC_STAT_LEFT);
    const int top = stats.at<int>(group, cv::CC_STAT_TOP);
    return left == 0 || top == 0 || left + stats.at<int>(group, cv::CC_STAT_WIDTH) == labels.cols ||
           top + stats.at<int>(group, cv::CC_STAT_HEIGHT) == labels.rows;
  }
};

/// Gives the pixels of the chosen groups (an entry a group) the value.
void paint(cv::Mat& mask, const Groups& groups, const std::vector<bool>& chosen,
           std::uint8_t value) {
  for (int y = 0; y < mask.rows; ++y) {
    const auto* label = groups.labels.ptr<int>(y);
    auto* pixel = mask.ptr<std::uint8_t>(y);
    for (int x = 0; x < mask.cols; ++x) {
      if (chosen[static_cast<std::size_t>(label[x])]) {
        pixel[x] = value;
      }
    }
  }
}

void keep_largest(cv::Mat& mask, std::int64_t /*pixels*/) {
  const Groups groups(mask, 8);
  int largest = 0;
  for (int group = 1; group < groups.count(); ++group) {
    const bool larger = groups.area(group) > groups.area(largest);
    const bool higher =
        groups.area(group) == groups.area(largest) && groups.top(group) < groups.top(largest);
    largest = largest == 0 || larger || higher ? group : largest;
  }
  std::vector<bool> others(static_cast<std::size_t>(groups.count()), true);
  others[static_cast<std::size_t>(largest)] = false;
  paint(mask, groups, others, 0);
}

void fill_holes(cv::Mat& mask, std::int64_t /*pixels*/) {
  cv::Mat background;
  cv::bitwise_not(mask, background);
  const Groups groups(background, 4);
  std::vector<bool> holes(static_cast<std::size_t>(groups.count()), false);
  for (int group = 1; group < groups.count(); ++group) {
    holes[static_cast<std::size_t>(group)] = !groups.touches_border(group);
  }
  paint(mask, groups, holes, 255);
}

void remove_small(cv::Mat& mask, std::int64_t pixels) {
  const Groups groups(mask, 8);
  std::vector<bool> small(static_cast<std::size_t>(groups.count()), false);
  for (int group = 1; group < groups.count(); ++group) {
    small[static_cast<std::size_t>(group)] = groups.area(group) < pixels;
  }
  paint(mask, groups, small, 0);
}

struct StepKind {
  const char* name;
  bool takes_pixels;
  void (*apply)(cv::Mat& mask, std::int64_t pixels);
};

constexpr std::array kTable{StepKind{"largest-component", false, keep_largest},
                            StepKind{"fill-holes", false, fill_holes},
                            StepKind{"remove-small", true, remove_small}};

const StepKind& kind_of(const std::string& name, std::string_view what) {
  const auto* row =
      std::find_if(kTable.begin(), kTable.end(), [&](const StepKind& r) { return r.name == name; });
  if (row == kTable.end()) {
    std::vector<std::string> known;
    for (const StepKind& each : kTable) {
      known.emplace_back(each.name);
    }
    throw ConfigError(
        str(what, ": '", name, "' is not one of ", join(known, ", "), did_you_mean(name, known)));
  }
  return *row;
}

PostprocessStep parse_step(const std::string& word, std::string_view what) {
  const std::size_t equals = word.find('=');
  PostprocessStep step{word.substr(0, equals)};
  const bool takes_pixels = kind_of(step.name, what).takes_pixels;
  if (takes_pixels != (equals != std::string::npos)) {
    throw ConfigError(str(what, ": '", word, "' ",
                          takes_pixels ? "lacks its number of pixels (=64)" : "takes no number"));
  }
  if (equals != std::string::npos) {
    const char* end = word.data() + word.size();
    const auto parsed = std::from_chars(word.data() + equals + 1, end, step.pixels);
    if (parsed.ec != std::errc() || parsed.ptr != end || step.pixels < 1) {
      throw ConfigError(str(what, ": '", word, "' needs a number of pixels, 1 or more"));
    }
  }
  return step;
}

}  // namespace

Postprocess parse_postprocess(const std::string& text, std::string_view what) {
  Postprocess steps;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    steps.push_back(parse_step(word, what));
  }
  return steps;
}

std::string postprocess_text(const Postprocess& steps) {
  std::vector<std::string> words;
  for (const PostprocessStep& step : steps) {
    words.push_back(step.pixels > 0 ? str(step.name, "=", step.pixels) : step.name);
  }
  return join(words, ",");
}

at::Tensor numbered_parts(const at::Tensor& labels) {
  calm_opencv();
  const at::Tensor parts = at::zeros(labels.sizes(), at::kInt);
  const at::Tensor part = at::empty(labels.sizes(), at::kInt);
  const int height = static_cast<int>(labels.size(0));
  const int width = static_cast<int>(labels.size(1));
  cv::Mat found(height, width, CV_32S, part.data_ptr());
  std::int32_t count = 0;
  const at::Tensor values = std::get<0>(at::_unique(labels));
  for (std::int64_t i = values[0].item<int>() == 0 ? 1 : 0; i < values.numel(); ++i) {
    const at::Tensor region = labels.eq(values[i]).to(at::kByte).contiguous();
    const int labels_here =
        cv::connectedComponents(cv::Mat(height, width, CV_8U, region.data_ptr()), found, 8, CV_32S);
    parts.add_(at::where(region.ne(0), part + count, 0));
    count += labels_here - 1;
  }
  return parts;
}

at::Tensor apply_postprocess(const Postprocess& steps, const at::Tensor& mask) {
  if (steps.empty()) {
    return mask;
  }
  calm_opencv();
  const at::Tensor result = mask.clone(at::MemoryFormat::Contiguous);
  cv::Mat view(static_cast<int>(result.size(0)), static_cast<int>(result.size(1)), CV_8U,
               result.data_ptr());
  for (const PostprocessStep& step : steps) {
    kind_of(step.name, "postprocess").apply(view, step.pixels);
  }
  return result;
}

}  // namespace leaf::data
