#include "split_leaks.h"

#include <map>
#include <set>

#include "leaf/core/strings.h"

namespace leaf {
namespace {

using data::Split;

bool is_near_duplicate(const DividedImage& a, const DividedImage& b) {
  return a.part != b.part && is_near_identical(a.hash, b.hash) && a.pair.image != b.pair.image;
}

std::string image_text(const DividedImage& image) {
  return str("'", printable(image.pair.name), "' (", enum_text(image.part), ")");
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_separator(char c) { return c == '_' || c == '-' || c == '.' || c == ' '; }

/// Groups that say something: several, and of several images each on average.
bool are_groups(const std::map<std::string, std::set<Split>>& groups, std::size_t images) {
  return groups.size() > 1 && 2 * groups.size() <= images;
}

}  // namespace

std::string near_duplicates_text(const std::vector<DividedImage>& images) {
  constexpr std::size_t kShown = 3;
  std::size_t count = 0;
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (std::size_t j = i + 1; j < images.size(); ++j) {
      if (is_near_duplicate(images[i], images[j]) && ++count <= kShown) {
        shown.push_back(str(image_text(images[i]), " and ", image_text(images[j])));
      }
    }
  }
  return count == 0 ? ""
                    : str(count, count == 1 ? " pair" : " pairs",
                          " of near-identical images in different parts (of their hashes at most ",
                          data::kNearBits, " of 64 bits differ, of their thumbnails ",
                          data::kNearLevels, " grey levels): ", join(shown, ", "),
                          count > kShown ? ", ..." : "", "; scores look better than they are");
}

std::string group_of_name(const std::string& name) {
  const auto slash = name.rfind('/');
  if (slash != std::string::npos) {
    return name.substr(0, slash);
  }
  std::size_t end = name.size();
  while (end > 0 && is_digit(name[end - 1])) {
    --end;
  }
  if (end == name.size()) {
    return "";
  }
  while (end > 0 && is_separator(name[end - 1])) {
    --end;
  }
  return name.substr(0, end);
}

std::string divided_groups_text(const std::vector<DividedImage>& images) {
  std::map<std::string, std::set<Split>> parts;
  for (const DividedImage& image : images) {
    const std::string group = group_of_name(image.pair.name);
    if (group.empty()) {
      return "";
    }
    parts[group].insert(image.part);
  }
  std::size_t divided = 0;
  std::string first;
  for (const auto& [group, in] : parts) {
    if (in.size() > 1 && ++divided == 1) {
      first = group;
    }
  }
  if (divided == 0 || !are_groups(parts, images.size())) {
    return "";
  }
  return str("the names look like ", parts.size(), " groups (patients, videos) and ", divided,
             " of them, as '", printable(first),
             "', are in several parts; keep them together with SplitConfig::strategy: groups and a "
             "SplitConfig::groups file of name,group");
}

}  // namespace leaf
