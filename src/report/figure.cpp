#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/caption.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/report/report.h"
#include "picture.h"

namespace leaf::report {
namespace {

constexpr std::int64_t kSide = 192;
constexpr std::int64_t kGap = 4;
constexpr std::int64_t kCaption = 24;
constexpr std::int64_t kCaseCaption = 18;

/// The picture, a small one so many times as large as fits, in the middle of a grey square, on
/// which a white mask is seen.
at::Tensor tile(const at::Tensor& small) {
  constexpr int kGrey = 225;
  const std::int64_t times =
      std::max<std::int64_t>(1, kSide / std::max(small.size(0), small.size(1)));
  const at::Tensor picture = small.repeat_interleave(times, 0).repeat_interleave(times, 1);
  at::Tensor square = at::full({kSide, kSide, 3}, kGrey, at::kByte);
  const std::int64_t top = (kSide - picture.size(0)) / 2;
  const std::int64_t left = (kSide - picture.size(1)) / 2;
  square.narrow(0, top, picture.size(0)).narrow(1, left, picture.size(1)).copy_(picture);
  return at::constant_pad_nd(square, {0, 0, 0, kGap, 0, kGap}, 255);
}

/// Eight cases at most, of each kind some.
std::vector<std::size_t> shown(const std::vector<Choice>& choices) {
  std::vector<std::size_t> result;
  for (const auto& [why, most] : {std::pair("best", 3), {"typical", 2}, {"worst", 3}}) {
    int taken = 0;
    for (const Choice& choice : choices) {
      if (choice.why == why && taken < most) {
        result.push_back(choice.index);
        ++taken;
      }
    }
  }
  return result;
}

/// Texts over the columns.
at::Tensor captions(const std::vector<std::string>& texts, std::int64_t height) {
  std::vector<at::Tensor> cells;
  for (const std::string& text : texts) {
    cells.push_back(at::constant_pad_nd(data::caption(text, height, kSide), {0, 0, 0, kGap}, 255));
  }
  return at::cat(cells, 1);
}

std::vector<std::string> titles(const Report& report) {
  std::vector<std::string> texts{"image", "truth", report.name};
  if (report.columns.empty()) {
    texts.emplace_back("errors");
  }
  for (const Column& column : report.columns) {
    texts.push_back(column.title);
  }
  return texts;
}

/// A case's name over its image, its Dice over the prediction.
std::vector<std::string> case_texts(const metrics::ImageScore& score, std::size_t columns) {
  std::vector<std::string> texts(columns);
  texts[0] = score.name;
  texts[2] = str("Dice ", fixed(score.value("dice"), 3));
  return texts;
}

}  // namespace

void write_figure(const std::filesystem::path& path, const Report& report) {
  const std::vector<std::size_t> places =
      report.places.empty() ? shown(choose_cases(report.evaluation->scores)) : report.places;
  std::vector<std::vector<at::Tensor>> others;
  for (const Column& column : report.columns) {
    others.push_back(column.masks(places));
  }
  const std::vector<std::string> head = titles(report);
  std::vector<at::Tensor> rows{captions(head, kCaption)};
  for (std::size_t row = 0; row < places.size(); ++row) {
    const Case one = report.load_case(places[row]);
    const Pictures p = make_pictures(one, kSide);
    std::vector<at::Tensor> cells{tile(p.image), tile(p.truth), tile(p.prediction)};
    if (others.empty()) {
      cells.push_back(tile(p.errors));
    }
    for (const std::vector<at::Tensor>& masks : others) {
      cells.push_back(tile(mask_picture(masks.at(row), one.classes, p.truth)));
    }
    rows.push_back(
        captions(case_texts(report.evaluation->scores[places[row]], head.size()), kCaseCaption));
    rows.push_back(at::cat(cells, 1));
  }
  const at::Tensor sheet = at::constant_pad_nd(at::cat(rows, 0), {0, 0, kGap, 0, kGap, 0}, 255);
  data::write_png(path, sheet);
}

}  // namespace leaf::report
