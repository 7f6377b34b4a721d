#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "leaf/io/known_weights.h"
#include "rules.h"

namespace leaf::io::names {

/// What reading a format needs besides the tensors.
struct Reading {
  const std::string& source;
  const RecogniseOptions& options;
};

/// A way in which the world names weights.
struct Format {
  std::string name;
  /// The names that tell: a file with all of them has this format.
  std::vector<std::string> needs;
  KnownWeights (*read)(const TensorMap& tensors, const Reading& reading);
};

/// The table of one network.
struct Network {
  WeightPart part;
  std::vector<Rule> rules;
};

/// Sorts tensors by tables, which are tried one after the other; what none takes is unused.
KnownWeights sort_into(const std::vector<Network>& networks, const TensorMap& tensors,
                       const Reading& reading);

/// The tables, one file each. Of formats whose needs overlap, the one that needs more comes first.
std::vector<Format> compvis_formats();
std::vector<Format> diffusers_autoencoder_formats();
std::vector<Format> tiny_autoencoder_formats();
std::vector<Format> vision_transformer_formats();
std::vector<Format> hugging_face_formats();
std::vector<Format> clip_formats();

/// diffusers' AutoencoderKL, whose decoder counts its levels from the deepest: the last is `last`.
std::vector<Rule> diffusers_autoencoder_rules(std::int64_t last);

}  // namespace leaf::io::names
