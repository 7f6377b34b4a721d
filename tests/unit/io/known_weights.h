#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/weights.h"
#include "nn/module.h"
#include "support/small_networks.h"

// Made-up weight files, for the tests of what is recognised.
namespace leaf::io {

using test::Shape;
using Names = std::vector<std::string>;
using Shapes = std::vector<std::pair<std::string, Shape>>;

inline TensorMap made(const Shapes& shapes) {
  TensorMap tensors;
  for (const auto& [name, shape] : shapes) {
    tensors.emplace(name, test::normal(shape, fnv1a64(name)));
  }
  return tensors;
}

template <typename Network, typename... Arguments>
TensorMap weights_of(const Arguments&... arguments) {
  const auto network = std::make_shared<Network>(arguments...);
  nn::initialise(*network, 3);
  return state_dict(*network);
}

inline TensorMap merged(std::initializer_list<TensorMap> some) {
  TensorMap all;
  for (const TensorMap& tensors : some) {
    all.insert(tensors.begin(), tensors.end());
  }
  return all;
}

inline Names names_of(const TensorMap& tensors) {
  Names names;
  for (const auto& [name, tensor] : tensors) {
    names.push_back(name);
  }
  return names;
}

inline void expect_same(const TensorMap& actual, const TensorMap& expected) {
  ASSERT_EQ(names_of(actual), names_of(expected));
  for (const auto& [name, tensor] : expected) {
    EXPECT_TRUE(at::equal(actual.at(name), tensor)) << name;
  }
}

/// The one network that a file holds.
inline TensorMap only_part(const KnownWeights& known, WeightPart part, const std::string& format) {
  EXPECT_EQ(known.format, format);
  EXPECT_EQ(known.parts.size(), 1U);
  return known.parts.at(part);
}

}  // namespace leaf::io
