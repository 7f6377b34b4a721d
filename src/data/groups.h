#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "leaf/data/pair.h"

namespace leaf::data {

/// The group of every image by its name, as a groups file says. DataError naming the line for an
/// empty name or group, for a second row of an image, and for a file that starts with a row in
/// place of the columns' names. Warns of groups whose names look alike.
std::map<std::string, std::string> read_groups(const std::filesystem::path& file,
                                               const std::vector<Pair>& pairs);

}  // namespace leaf::data
