#include "staple.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

namespace leaf {
namespace {

constexpr int kMostRounds = 200;
constexpr double kSettled = 1e-12;  ///< largest change of a rate in the last round
constexpr double kTiny = 1e-300;    ///< has a logarithm, unlike 0

/// Pixels of which the masks say the same have the same probability.
struct Pattern {
  std::string_view votes;  ///< 0 or 1 of each mask
  double pixels = 0;
  double target = 0;  ///< their probability
};

/// How often each mask errs.
struct Rates {
  std::vector<double> missed;  ///< 1 - sensitivity
  std::vector<double> false_;  ///< 1 - specificity
};

struct Patterns {
  std::vector<Pattern> all;
  std::vector<std::size_t> of_pixel;  ///< its place in `all`
};

/// votes: uint8 [pixels,K], which must outlive the patterns.
Patterns find_patterns(const at::Tensor& votes) {
  const auto width = static_cast<std::size_t>(votes.size(1));
  const auto* first = reinterpret_cast<const char*>(votes.const_data_ptr<std::uint8_t>());
  std::map<std::string_view, std::size_t> places;
  Patterns found;
  for (std::int64_t i = 0; i < votes.size(0); ++i) {
    const std::string_view pattern(first + static_cast<std::size_t>(i) * width, width);
    const auto [place, is_new] = places.emplace(pattern, found.all.size());
    if (is_new) {
      const auto yes = std::count(pattern.begin(), pattern.end(), '\1');
      found.all.push_back({pattern, 0, static_cast<double>(yes) / static_cast<double>(width)});
    }
    ++found.all[place->second].pixels;
    found.of_pixel.push_back(place->second);
  }
  return found;
}

/// The share of target pixels by the patterns' probabilities.
double target_share(const std::vector<Pattern>& patterns) {
  double pixels = 0;
  double target = 0;
  for (const Pattern& pattern : patterns) {
    pixels += pattern.pixels;
    target += pattern.pixels * pattern.target;
  }
  return target / pixels;
}

/// The maximisation: rates from probabilities.
Rates rates_of(const std::vector<Pattern>& patterns, std::size_t masks) {
  Rates rates{std::vector<double>(masks), std::vector<double>(masks)};
  double target = 0;
  double rest = 0;
  for (const Pattern& pattern : patterns) {
    const double inside = pattern.pixels * pattern.target;
    const double outside = pattern.pixels * (1 - pattern.target);
    target += inside;
    rest += outside;
    for (std::size_t mask = 0; mask < masks; ++mask) {
      const bool vote = pattern.votes[mask] != 0;
      rates.missed[mask] += vote ? 0 : inside;
      rates.false_[mask] += vote ? outside : 0;
    }
  }
  for (std::size_t mask = 0; mask < masks; ++mask) {
    rates.missed[mask] /= std::max(target, kTiny);
    rates.false_[mask] /= std::max(rest, kTiny);
  }
  return rates;
}

/// The expectation: probabilities from rates.
void estimate(std::vector<Pattern>& patterns, const Rates& rates, double prior) {
  const auto log = [](double value) { return std::log(std::max(value, kTiny)); };
  for (Pattern& pattern : patterns) {
    double odds = log(prior) - log(1 - prior);
    for (std::size_t mask = 0; mask < rates.missed.size(); ++mask) {
      const double missed = rates.missed[mask];
      const double wrong = rates.false_[mask];
      odds +=
          pattern.votes[mask] != 0 ? log(1 - missed) - log(wrong) : log(missed) - log(1 - wrong);
    }
    pattern.target = 1 / (1 + std::exp(-odds));
  }
}

double largest_change(const Rates& a, const Rates& b) {
  double largest = 0;
  for (std::size_t mask = 0; mask < a.missed.size(); ++mask) {
    largest = std::max({largest, std::abs(a.missed[mask] - b.missed[mask]),
                        std::abs(a.false_[mask] - b.false_[mask])});
  }
  return largest;
}

/// Leaves the probabilities in `patterns`.
Rates maximise(std::vector<Pattern>& patterns, std::size_t masks) {
  const double prior = target_share(patterns);
  Rates rates = rates_of(patterns, masks);
  if (prior <= 0 || prior >= 1) {  // nothing to tell apart
    return rates;
  }
  for (int round = 0; round < kMostRounds; ++round) {
    estimate(patterns, rates, prior);
    const Rates next = rates_of(patterns, masks);
    const bool settled = largest_change(rates, next) < kSettled;
    rates = next;
    if (settled) {
      break;
    }
  }
  return rates;
}

std::vector<double> complements(const std::vector<double>& rates) {
  std::vector<double> result;
  for (const double rate : rates) {
    result.push_back(1 - rate);
  }
  return result;
}

}  // namespace

Staple staple(const at::Tensor& masks) {
  const at::Tensor votes = masks.flatten(1).t().to(at::kByte).contiguous();
  Patterns patterns = find_patterns(votes);
  const Rates rates = maximise(patterns.all, static_cast<std::size_t>(masks.size(0)));
  const at::Tensor probability = at::empty({masks.size(1), masks.size(2)}, at::kFloat);
  auto* value = probability.mutable_data_ptr<float>();
  for (const std::size_t place : patterns.of_pixel) {
    *value++ = static_cast<float>(patterns.all[place].target);
  }
  return {probability, complements(rates.missed), complements(rates.false_)};
}

}  // namespace leaf
