#include "leaf/data/mask_census.h"

#include <iterator>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace {

constexpr std::size_t kExamples = 3;

bool is_notice(MaskOddity oddity) {
  return oddity == MaskOddity::kPalette || oddity == MaskOddity::kAlphaTaken;
}

/// Keeps the masks of the smallest indices.
void keep(std::map<std::size_t, MaskRemark>& first, std::size_t index, const MaskRemark& remark) {
  first.emplace(index, remark);
  if (first.size() > kExamples) {
    first.erase(std::prev(first.end()));
  }
}

}  // namespace

void MaskCensus::add(std::size_t index, const std::vector<MaskRemark>& remarks, bool has_target) {
  const std::lock_guard lock(mutex_);
  if (seen_.at(index)) {
    return;
  }
  seen_[index] = true;
  ++count_;
  with_target_ += has_target ? 1 : 0;
  for (const MaskRemark& remark : remarks) {
    Kind& kind = kinds_[remark.oddity];
    ++kind.count;
    keep(kind.first, index, remark);
  }
}

void MaskCensus::add(const MaskCensus& other) {
  const std::scoped_lock lock(mutex_, other.mutex_);
  const std::size_t offset = seen_.size();
  seen_.insert(seen_.end(), other.seen_.begin(), other.seen_.end());
  count_ += other.count_;
  with_target_ += other.with_target_;
  for (const auto& [oddity, kind] : other.kinds_) {
    Kind& mine = kinds_[oddity];
    mine.count += kind.count;
    for (const auto& [index, remark] : kind.first) {
      keep(mine.first, offset + index, remark);
    }
  }
}

/// A few label maps with a cup at the border are odd; that most have one is a mistake.
bool MaskCensus::is_said(MaskOddity oddity, const Kind& kind, bool borders) const {
  if (oddity == MaskOddity::kTurned) {
    return 2 * kind.count > count_;
  }
  return oddity != MaskOddity::kBorder || borders;
}

std::string MaskCensus::line(const Kind& kind) const {
  const MaskRemark& first = kind.first.begin()->second;
  std::string text = str(first.file, " ", first.text);
  if (kind.count == 1) {
    return text;
  }
  std::vector<std::string> others;
  for (auto item = std::next(kind.first.begin()); item != kind.first.end(); ++item) {
    others.push_back(item->second.file);
  }
  return text + str(" (", kind.count, " of ", count_, " are so, ",
                    kind.count > kind.first.size() ? "as " : "", join(others, " and "), " too)");
}

std::vector<std::string> MaskCensus::lines(bool borders) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> result;
  for (const auto& [oddity, kind] : kinds_) {
    if (is_said(oddity, kind, borders)) {
      result.push_back(line(kind));
    }
  }
  return result;
}

void MaskCensus::log_lines(bool borders, bool first_only) {
  const std::lock_guard lock(mutex_);
  for (auto& [oddity, kind] : kinds_) {
    const bool too_early = first_only && (kind.logged > 0 || oddity == MaskOddity::kTurned);
    if (kind.count == kind.logged || too_early || !is_said(oddity, kind, borders)) {
      continue;
    }
    const MaskRemark& first = kind.first.begin()->second;
    const std::string text = first_only ? str(first.file, " ", first.text) : line(kind);
    is_notice(oddity) ? log::info(text) : log::warn(text);
    kind.logged = first_only ? 1 : kind.count;
  }
}

void MaskCensus::require_target() const {
  const std::lock_guard lock(mutex_);
  const auto none_above = kinds_.find(MaskOddity::kNoneAbove);
  if (with_target_ == 0 && none_above != kinds_.end()) {
    throw DataError(str(line(none_above->second),
                        count_ > none_above->second.count ? "; the others hold 0 alone" : ""));
  }
}

bool MaskCensus::complete() const {
  const std::lock_guard lock(mutex_);
  return count_ == seen_.size();
}

}  // namespace leaf::data
