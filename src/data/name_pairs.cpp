#include "leaf/data/name_pairs.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "core/look_alike.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/data/volume.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

/// "sub/" and "name" of "sub/name".
std::pair<std::string_view, std::string_view> split_name(std::string_view name) {
  const auto slash = name.rfind('/');
  const std::size_t stem = slash == std::string_view::npos ? 0 : slash + 1;
  return {name.substr(0, stem), name.substr(stem)};
}

/// Names by the key of those that look like them; empty where several do.
class LookAlikes {
 public:
  void add(const std::string& name) {
    const auto [other, is_new] = names_.emplace(look_alike_key(name), name);
    if (!is_new) {
      other->second.clear();
    }
  }

  const std::string* find(const std::string& name) const {
    const auto found = names_.find(look_alike_key(name));
    return found == names_.end() || found->second.empty() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, std::string> names_;
};

/// For names without a partner of exactly the expected name: the second of that looks alike.
std::map<std::string, std::string> alike_partners(const FilesByName& firsts,
                                                  const FilesByName& seconds,
                                                  const NameAffix& affix) {
  LookAlikes expected;
  LookAlikes found;
  std::set<std::string> taken;
  std::vector<std::string> open;
  for (const auto& [name, file] : firsts) {
    const std::string partner = affix.add_to(name);
    if (seconds.contains(partner)) {
      taken.insert(partner);
    } else {
      expected.add(partner);
      open.push_back(name);
    }
  }
  for (const auto& [name, file] : seconds) {
    if (!taken.contains(name)) {
      found.add(name);
    }
  }
  std::map<std::string, std::string> partners;
  for (const std::string& name : open) {
    const std::string partner = affix.add_to(name);
    const std::string* alike = found.find(partner);
    if (alike != nullptr && expected.find(partner) != nullptr) {
      partners.emplace(name, *alike);
    }
  }
  return partners;
}

void warn_of_alike(const std::map<std::string, std::string>& partners) {
  if (!partners.empty()) {
    const auto& [first, second] = *partners.begin();
    log::warn(
        str("names that differ in upper and lower case or in Unicode's form alone are taken "
            "for the same: ",
            partners.size(), partners.size() == 1 ? " pair" : " pairs", " (first: '",
            printable(first), "' and '", printable(second), "')"));
  }
}

std::size_t count_pairs(const FilesByName& firsts, const FilesByName& seconds,
                        const NameAffix& affix) {
  return static_cast<std::size_t>(
      std::count_if(firsts.begin(), firsts.end(),
                    [&](const auto& item) { return seconds.contains(affix.add_to(item.first)); }));
}

using Votes = std::map<std::pair<std::string, std::string>, std::size_t>;

/// One vote for all that `second` has round the name of some first in the same folder.
void vote(const FilesByName& firsts, const std::string& second, Votes& votes) {
  const auto [folder, stem] = split_name(second);
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& [first, file] : firsts) {
    const auto [other_folder, name] = split_name(first);
    const auto at = folder == other_folder && !name.empty() ? stem.find(name) : std::string::npos;
    if (at != std::string::npos) {
      seen.emplace(stem.substr(0, at), stem.substr(at + name.size()));
    }
  }
  for (const auto& affix : seen) {
    ++votes[affix];
  }
}

}  // namespace

FilesByName files_by_name(const fs::path& folder, const std::vector<fs::path>& files) {
  FilesByName result;
  for (const fs::path& file : files) {
    const std::string name = without_extension(file.lexically_relative(folder)).generic_string();
    const auto [other, added] = result.emplace(name, file);
    if (!added) {
      throw DataError(str("'", other->second.string(), "' and '", file.string(),
                          "' have the same name; keep one of them"));
    }
  }
  return result;
}

std::string NameAffix::add_to(const std::string& name) const {
  const auto [folder, stem] = split_name(name);
  return str(folder, prefix, stem, suffix);
}

std::optional<std::string> NameAffix::take_from(const std::string& name) const {
  const auto [folder, stem] = split_name(name);
  if (stem.size() <= prefix.size() + suffix.size() || !stem.starts_with(prefix) ||
      !stem.ends_with(suffix)) {
    return std::nullopt;
  }
  return str(folder, stem.substr(prefix.size(), stem.size() - prefix.size() - suffix.size()));
}

NamePairs match_names(const FilesByName& firsts, const FilesByName& seconds,
                      const NameAffix& affix) {
  const std::map<std::string, std::string> alike = alike_partners(firsts, seconds, affix);
  warn_of_alike(alike);
  NamePairs result;
  FilesByName rest = seconds;
  for (const auto& [name, file] : firsts) {
    const auto other = alike.find(name);
    const auto partner = rest.find(other == alike.end() ? affix.add_to(name) : other->second);
    if (partner == rest.end()) {
      result.without_second.push_back(name);
    } else {
      result.pairs.push_back({name, file, partner->second});
      rest.erase(partner);
    }
  }
  for (const auto& [name, file] : rest) {
    result.without_first.push_back(name);
  }
  return result;
}

std::optional<AffixGuess> guess_affix(const FilesByName& firsts, const FilesByName& seconds) {
  constexpr std::size_t kVoters = 50;
  Votes votes;
  std::size_t voters = 0;
  for (auto second = seconds.begin(); second != seconds.end() && voters < kVoters;
       ++second, ++voters) {
    vote(firsts, second->first, votes);
  }
  std::optional<AffixGuess> best;
  std::size_t most = 0;
  for (const auto& [affix, count] : votes) {
    const NameAffix candidate{affix.first, affix.second};
    if (count > most && !candidate.empty()) {
      most = count;
      best = {candidate, 0};
    }
  }
  if (!best) {
    return std::nullopt;
  }
  best->pairs = count_pairs(firsts, seconds, best->affix);
  return 2 * best->pairs >= std::min(firsts.size(), seconds.size()) ? best : std::nullopt;
}

}  // namespace leaf::data
