#include <ATen/ATen.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "leaf/data/image_io.h"
#include "leaf/report/report.h"
#include "picture.h"

namespace leaf::report {
namespace {

constexpr std::int64_t kSide = 192;
constexpr std::int64_t kGap = 4;

/// The picture in the middle of a white square.
at::Tensor tile(const at::Tensor& picture) {
  at::Tensor square = at::full({kSide, kSide, 3}, 255, at::kByte);
  const std::int64_t top = (kSide - picture.size(0)) / 2;
  const std::int64_t left = (kSide - picture.size(1)) / 2;
  square.narrow(0, top, picture.size(0)).narrow(1, left, picture.size(1)).copy_(picture);
  return at::constant_pad_nd(square, {0, 0, 0, kGap, 0, kGap}, 255);
}

/// Eight cases at most, of each kind some.
std::vector<Choice> shown(const std::vector<Choice>& choices) {
  std::vector<Choice> result;
  for (const auto& [why, most] : {std::pair("best", 3), {"typical", 2}, {"worst", 3}}) {
    int taken = 0;
    for (const Choice& choice : choices) {
      if (choice.why == why && taken < most) {
        result.push_back(choice);
        ++taken;
      }
    }
  }
  return result;
}

}  // namespace

void write_figure(const std::filesystem::path& path, const Report& report) {
  std::vector<at::Tensor> rows;
  for (const Choice& choice : shown(choose_cases(report.evaluation->scores))) {
    const Pictures p = make_pictures(report.load_case(choice.index), kSide);
    rows.push_back(at::cat({tile(p.image), tile(p.truth), tile(p.prediction), tile(p.errors)}, 1));
  }
  const at::Tensor sheet = at::constant_pad_nd(at::cat(rows, 0), {0, 0, kGap, 0, kGap, 0}, 255);
  data::write_png(path, sheet);
}

}  // namespace leaf::report
