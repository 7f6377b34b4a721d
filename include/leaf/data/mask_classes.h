#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "leaf/core/enum_names.h"

namespace leaf::data {

/// How the classes of masks become an image of the latent model.
///   kColours   each class is a colour, and a pixel is of the class whose colour is the nearest
///   kChannels  each class lies within the one before it (a cup in its disc) and is a channel,
///   which
///              holds what lies within it too
enum class ClassCoding { kColours, kChannels };
inline EnumNames<ClassCoding> enum_names(ClassCoding /*tag*/) {
  return {{ClassCoding::kColours, "colours"}, {ClassCoding::kChannels, "channels"}};
}

/// A value in mask files: a grey value or the index of a palette's colour, or a colour, red << 16 |
/// green << 8 | blue.
using ClassValue = std::uint32_t;

/// What pixels of a mask may be.
struct MaskClass {
  std::string name;
  std::vector<ClassValue> values;  ///< in mask files; the first of them is written
  bool operator==(const MaskClass&) const = default;
};

/// The classes of masks. A class's place in the list is its label in memory; 0 is the background.
struct MaskClasses {
  /// Without values there are two, which a threshold divides (MaskOptions).
  std::vector<MaskClass> list{{"background", {}}, {"foreground", {}}};
  std::vector<ClassValue> ignored{};  ///< values of pixels that are in no score
  bool are_colours = false;           ///< the values, all of them, are colours
  ClassCoding coding = ClassCoding::kColours;

  bool by_value() const { return !list.front().values.empty(); }
  bool several() const { return list.size() > 2; }
  bool operator==(const MaskClasses&) const = default;
};

/// As many as a latent model's image has colours that are far apart, and channels beside the
/// background.
inline constexpr std::size_t kMostClasses = 8;
inline constexpr std::size_t kMostNestedClasses = 4;

/// Reads the items of `data.classes`: two names, or NAME=VALUES for each class and, anywhere,
/// ignore=VALUES. VALUES are whole numbers or colours #rrggbb, joined by '+'. ConfigError, which
/// says what is wrong as what a key "has" or "expects".
MaskClasses parse_classes(const std::vector<std::string>& items);

/// The items that parse_classes() reads.
std::vector<std::string> class_items(const MaskClasses& classes);

/// The names, in the order of the labels.
std::vector<std::string> class_names(const MaskClasses& classes);

/// "7", or "#ff8000" of a colour.
std::string value_text(ClassValue value, bool is_colour);

}  // namespace leaf::data
