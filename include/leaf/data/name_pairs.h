#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "leaf/data/image_io.h"

namespace leaf::data {

struct NaturalOrder {
  bool operator()(const std::string& a, const std::string& b) const { return natural_less(a, b); }
};

/// Image files by their names: the path below their folder, without extension ("sub/0001").
using FilesByName = std::map<std::string, std::filesystem::path, NaturalOrder>;

/// Throws DataError when two files differ in the extension alone.
FilesByName files_by_name(const std::filesystem::path& folder,
                          const std::vector<std::filesystem::path>& files);

/// What a file's name has before and after its partner's, folders and extension apart.
struct NameAffix {
  std::string prefix;
  std::string suffix;

  bool empty() const { return prefix.empty() && suffix.empty(); }
  /// "sub/name" -> "sub/<prefix>name<suffix>"
  std::string add_to(const std::string& name) const;
  /// The other way round; nothing for a name that has not both.
  std::optional<std::string> take_from(const std::string& name) const;
};

struct NamePair {
  std::string name;  ///< of the first
  std::filesystem::path first;
  std::filesystem::path second;
};

struct NamePairs {
  std::vector<NamePair> pairs;              ///< in the order of the firsts
  std::vector<std::string> without_second;  ///< names of firsts
  std::vector<std::string> without_first;   ///< names of seconds
};

/// Pairs every first NAME with the second <prefix>NAME<suffix>. What then has no partner is paired
/// where exactly one name on either side looks like the other: the same but for upper and lower
/// case or Unicode's composed and decomposed forms; a warning says so.
NamePairs match_names(const FilesByName& firsts, const FilesByName& seconds,
                      const NameAffix& affix);

/// A guess at what the seconds' names have beyond the firsts'.
struct AffixGuess {
  NameAffix affix;
  std::size_t pairs = 0;  ///< that it makes
};

/// The prefix and suffix that most of the seconds have round the name of a first; nothing where
/// they do not pair at least half of the smaller side, or where both are empty.
std::optional<AffixGuess> guess_affix(const FilesByName& firsts, const FilesByName& seconds);

}  // namespace leaf::data
