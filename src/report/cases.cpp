#include <ATen/ATen.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "leaf/report/report.h"

namespace leaf::report {
namespace {

constexpr std::size_t kWorst = 16;
constexpr std::size_t kTypical = 4;
constexpr std::size_t kBest = 8;

/// Of few images some of each kind: a half is the worst, a quarter the best.
std::size_t at_most(std::size_t count, std::size_t images, std::size_t share) {
  return std::min(count, (images + share - 1) / share);
}

/// Places of the images from the lowest Dice to the highest; undefined ones are left out.
std::vector<std::size_t> by_dice(const std::vector<metrics::ImageScore>& scores, bool ascending) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (metrics::is_defined(scores[i].values.front())) {
      order.push_back(i);
    }
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const double x = scores[a].values.front();
    const double y = scores[b].values.front();
    const auto target = [&](std::size_t i) { return scores[i].c.tp + scores[i].c.fn; };
    return x != y ? (x < y) == ascending : target(a) > target(b);
  });
  return order;
}

}  // namespace

Case make_case(std::optional<at::Tensor> image, const at::Tensor& truth,
               const at::Tensor& prediction, const at::Tensor& ignored,
               const data::MaskClasses& classes) {
  const auto scored = [&](const at::Tensor& labels) {
    return ignored.defined() ? labels.masked_fill(ignored.ne(0), 0) : labels;
  };
  return {std::move(image), scored(truth), scored(prediction), classes.list.size()};
}

std::vector<Choice> choose_cases(const std::vector<metrics::ImageScore>& scores) {
  std::set<std::size_t> taken;
  std::vector<Choice> choices;
  const auto take = [&](const std::vector<std::size_t>& order, std::size_t first, std::size_t count,
                        const char* why) {
    for (std::size_t i = first; i < std::min(order.size(), first + count); ++i) {
      if (taken.insert(order[i]).second) {
        choices.push_back({order[i], why});
      }
    }
  };
  const std::vector<std::size_t> rising = by_dice(scores, true);
  take(rising, 0, at_most(kWorst, rising.size(), 2), "worst");
  std::vector<std::size_t> falling = by_dice(scores, false);
  std::erase_if(falling, [&](std::size_t i) { return scores[i].c.both_empty(); });
  take(falling, 0, at_most(kBest, rising.size(), 4), "best");
  take(rising, rising.size() / 2 - std::min(rising.size() / 2, kTypical / 2), kTypical, "typical");
  return choices;
}

}  // namespace leaf::report
