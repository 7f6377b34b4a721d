#pragma once

#include <string>
#include <vector>

#include "data/perceptual_hash.h"
#include "leaf/data/pair.h"

namespace leaf {

/// An image of a division, and its perceptual hash.
struct DividedImage {
  data::Pair pair;
  data::Split part = data::Split::kTrain;
  data::PictureHash hash;
};

/// Pairs of near-identical images in different parts, as one line that counts them and names the
/// first; empty without any. An image that stands in two parts itself, as in the published
/// protocols, is no such pair.
std::string near_duplicates_text(const std::vector<DividedImage>& images);

/// The group that a name looks like: its folder, or what stands before the number at its end
/// ("patient07_012" -> "patient07"); empty for a name that is a number or has none.
std::string group_of_name(const std::string& name);

/// Groups that the names look like and that the parts divide, as one line that proposes
/// data.split.strategy: groups; empty where there are none.
std::string divided_groups_text(const std::vector<DividedImage>& images);

}  // namespace leaf
