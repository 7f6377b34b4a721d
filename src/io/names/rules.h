#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/io/tensor_map.h"

namespace leaf::io::names {

/// A name with places. "{i}" is a number, "{i+1}", "{i-1}" and "{3-i}" are numbers computed from
/// it, "*" at the end is any rest: "decoder.up.{3-i}.block.{j}.*".
class Pattern {
 public:
  /// What stands in the places of a name.
  struct Values {
    std::map<std::string, std::int64_t> numbers;
    std::string rest;
  };

  explicit Pattern(std::string_view text);

  std::optional<Values> match(std::string_view name) const;
  /// The name with these values; nothing when one is missing or a number would be negative.
  std::optional<std::string> fill(const Values& values) const;

 private:
  struct Place {
    std::string variable;
    std::int64_t sign = 1;
    std::int64_t offset = 0;
  };
  struct Piece {
    std::string literal;
    std::optional<Place> place;  // after the literal
  };
  static Place parse_place(const std::string& text);

  std::vector<Piece> pieces_;
  bool open_ = false;
};

/// The largest value of `variable` in the names that match; -1 when none does.
std::int64_t largest_number(const TensorMap& tensors, std::string_view pattern,
                            const std::string& variable);

/// How the shape of our tensor differs from theirs.
enum class Shape {
  kSame,
  kPointwise,  ///< theirs [O, I], ours [O, I, 1, 1]; other shapes stay
  kToken,      ///< theirs [D], ours [1, 1, D]
  kTokens,     ///< theirs [T, D], ours [1, T, D]
};

/// One line of a table of names: a pattern in their naming and one in ours with the same places.
struct Rule {
  std::string theirs;
  /// Empty: none of our networks has this tensor.
  std::string ours;
  Shape shape = Shape::kSame;
  /// Where ours joins several of theirs along the first dimension: which one, of how many.
  int part = 0;
  int parts = 1;
};

/// What a table makes of a file's tensors.
struct Renamed {
  TensorMap tensors;                 ///< under our names
  std::vector<std::string> dropped;  ///< their names, by rules without a name of ours
  TensorMap rest;                    ///< that no rule matches
};

/// Reads a table from left to right; the first rule that matches a name counts. Throws
/// WeightsError, naming `source`, when two tensors get one name or joined ones are incomplete.
Renamed to_ours(const TensorMap& theirs, const std::vector<Rule>& rules, const std::string& source);

/// Reads a table from right to left; the first rule that matches counts, so that a newer spelling
/// goes before an older one. Names that no rule matches stay.
TensorMap to_theirs(const TensorMap& ours, const std::vector<Rule>& rules);

}  // namespace leaf::io::names
