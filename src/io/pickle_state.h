#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "leaf/core/strings.h"
#include "pickle.h"
#include "weight_file.h"

namespace leaf::io::pickle {

/// Enough for a hundred times the largest checkpoints in use, and well under a gigabyte of memory.
inline constexpr std::size_t kMostValues = 2'000'000;

/// Bytes that may be copied out of values that the pickle can name again and again at no cost to
/// itself.
inline constexpr std::size_t kCopyBudget = 256'000'000;

/// What a pickle's opcodes work on: the input, the stack with its marks, the memo and the values
/// made so far. Every step is checked and every table bounded, so that no input can do more than
/// throw.
class MachineState {
 public:
  MachineState(std::string_view bytes, const std::filesystem::path& path)
      : bytes_(bytes), path_(path) {}

  [[noreturn]] void fail(std::string_view reason) const { bad_weights(path_, reason); }

  // Input.
  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - position_) {
      fail("its pickle is truncated");
    }
    const auto taken = bytes_.substr(position_, count);
    position_ += count;
    return taken;
  }
  template <typename Number>
  Number take_number() {
    Number number;
    std::memcpy(&number, take(sizeof(Number)).data(), sizeof(Number));
    return number;
  }
  std::string_view take_line() {
    const auto end = bytes_.find('\n', position_);
    const auto line = take((end == std::string_view::npos ? bytes_.size() : end) - position_);
    take(1);
    return line;
  }

  // Stack. Nothing is popped from under the last mark.
  void push(Ref ref) {
    if (stack_.size() >= kMostValues) {
      fail("its pickle is too large");
    }
    stack_.push_back(ref);
  }
  void push_value(Value value) {
    if (result_.values.size() >= kMostValues) {
      fail("its pickle has too many values");
    }
    result_.values.push_back(std::move(value));
    push(static_cast<Ref>(result_.values.size() - 1));
  }
  Ref top() const {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) {
      fail("its pickle is damaged (nothing on the stack)");
    }
    return stack_.back();
  }
  Ref pop() {
    const Ref ref = top();
    stack_.pop_back();
    return ref;
  }
  std::vector<Ref> pop_last(std::size_t count) {
    std::vector<Ref> items(count);
    for (std::size_t i = count; i > 0; --i) {
      items[i - 1] = pop();
    }
    return items;
  }
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) {
      fail("its pickle is damaged (no mark)");
    }
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Ref> items(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return items;
  }
  void charge(std::size_t bytes) {
    if (bytes > copy_budget_) {
      fail("its pickle is too large");
    }
    copy_budget_ -= bytes;
  }
  void remember(std::uint64_t index) {
    if (memo_.size() >= kMostValues) {
      fail("its pickle remembers too many values");
    }
    memo_[index] = top();
  }
  void recall(std::uint64_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) {
      fail("its pickle is damaged (unknown memo entry)");
    }
    push(found->second);
  }

  // Values.
  Value& at(Ref ref) { return result_.values[ref]; }
  template <typename Kind>
  Kind* as(Ref ref) {
    return std::get_if<Kind>(&at(ref));
  }
  template <typename Kind>
  Kind& expect(Ref ref, std::string_view what) {
    if (Kind* const value = as<Kind>(ref)) {
      return *value;
    }
    fail(str("its pickle is damaged (", what, " expected)"));
  }
  std::vector<std::int64_t> integers(Ref tuple) {
    const auto& items = expect<Tuple>(tuple, "a tuple").items;
    charge(items.size() * sizeof(std::int64_t));
    std::vector<std::int64_t> numbers;
    for (const Ref item : items) {
      numbers.push_back(expect<std::int64_t>(item, "an integer"));
    }
    return numbers;
  }
  void mark() {
    if (marks_.size() >= kMostValues) {
      fail("its pickle nests too deeply");
    }
    marks_.push_back(stack_.size());
  }
  std::size_t memo_size() const { return memo_.size(); }
  void push_opaque(std::string_view what, bool is_tensor = false) {
    charge(what.size());
    push_value(Opaque{*result_.foreign.emplace(what).first, is_tensor});
  }
  /// The finished value.
  Pickle finish() {
    result_.root = pop();
    return std::move(result_);
  }

 private:
  std::string_view bytes_;
  const std::filesystem::path& path_;
  std::size_t position_ = 0;
  std::size_t copy_budget_ = kCopyBudget;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Ref> memo_;
  Pickle result_;
};

}  // namespace leaf::io::pickle
