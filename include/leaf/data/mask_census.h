#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "leaf/data/mask_values.h"

namespace leaf::data {

/// What is odd about the masks of a set, counted by kind. Its functions may be called from several
/// threads.
class MaskCensus {
 public:
  explicit MaskCensus(std::size_t masks = 0) : seen_(masks) {}

  /// Counts the mask of this index, once however often it is read.
  void add(std::size_t index, const std::vector<MaskRemark>& remarks, bool has_target);
  /// Adds what was counted of another set.
  void add(const MaskCensus& other);

  /// One line for each kind: its first mask, and how many more there are. Masks that reach the
  /// border are in it if `borders`.
  std::vector<std::string> lines(bool borders = false) const;

  /// Logs lines() but those that were logged before; with `first_only`, kinds that are new, and of
  /// these the first mask alone.
  void log_lines(bool borders = false, bool first_only = false);

  /// Throws DataError if not one mask has a target although some hold values other than 0.
  void require_target() const;

  /// True once every mask was counted.
  bool complete() const;

 private:
  struct Kind {
    std::size_t count = 0;
    std::map<std::size_t, MaskRemark> first;  ///< by index, a few
    std::size_t logged = 0;                   ///< the count that was logged last
  };

  std::string line(const Kind& kind) const;
  bool is_said(MaskOddity oddity, const Kind& kind, bool borders) const;

  mutable std::mutex mutex_;
  std::vector<bool> seen_;
  std::size_t count_ = 0;
  std::size_t with_target_ = 0;
  std::map<MaskOddity, Kind> kinds_;
};

}  // namespace leaf::data
