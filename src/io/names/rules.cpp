#include "rules.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "../weight_file.h"
#include "leaf/core/strings.h"

namespace leaf::io::names {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes a number, written without leading zeros, from the front of `text`.
std::optional<std::int64_t> take_number(std::string_view& text) {
  constexpr std::size_t kMostDigits = 9;
  const auto digits =
      static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  if (digits == 0 || digits > kMostDigits || (digits > 1 && text.front() == '0')) {
    return std::nullopt;
  }
  const std::int64_t number = std::stoll(std::string(text.substr(0, digits)));
  text.remove_prefix(digits);
  return number;
}

at::Tensor shaped_as_ours(const at::Tensor& theirs, Shape shape) {
  switch (shape) {
    case Shape::kPointwise:
      return theirs.dim() == 2 ? theirs.unsqueeze(2).unsqueeze(3) : theirs;
    case Shape::kToken:
      return theirs.dim() == 1 ? theirs.unsqueeze(0).unsqueeze(0) : theirs;
    case Shape::kTokens:
      return theirs.dim() == 2 ? theirs.unsqueeze(0) : theirs;
    case Shape::kSame:
      break;
  }
  return theirs;
}

at::Tensor shaped_as_theirs(const at::Tensor& ours, Shape shape) {
  switch (shape) {
    case Shape::kPointwise:
      return ours.dim() == 4 && ours.size(2) == 1 && ours.size(3) == 1 ? ours.squeeze(3).squeeze(2)
                                                                       : ours;
    case Shape::kToken:
      return ours.reshape({-1});
    case Shape::kTokens:
      return ours.dim() == 3 && ours.size(0) == 1 ? ours.squeeze(0) : ours;
    case Shape::kSame:
      break;
  }
  return ours;
}

struct CompiledRule {
  explicit CompiledRule(const Rule& r) : rule(r), theirs(r.theirs), ours(r.ours) {}

  const Rule& rule;
  Pattern theirs, ours;
};

std::vector<CompiledRule> compile(const std::vector<Rule>& rules) {
  return {rules.begin(), rules.end()};
}

/// Our tensors as they come together.
class Collection {
 public:
  explicit Collection(const std::string& source) : source_(source) {}

  void add(const std::string& name, const Rule& rule, const at::Tensor& theirs) {
    auto& parts = parts_[name];
    parts.resize(std::max(parts.size(), static_cast<std::size_t>(rule.parts)));
    at::Tensor& place = parts.at(static_cast<std::size_t>(rule.part));
    if (place.defined()) {
      bad_weights(source_, str("two of its tensors stand for '", printable(name), "'"));
    }
    place = shaped_as_ours(theirs, rule.shape);
  }

  TensorMap joined() const {
    TensorMap tensors;
    for (const auto& [name, parts] : parts_) {
      tensors.emplace(name, parts.size() == 1 ? parts.front() : join(name, parts));
    }
    return tensors;
  }

 private:
  at::Tensor join(const std::string& name, const std::vector<at::Tensor>& parts) const {
    const at::Tensor& first = parts.front();
    const bool fit = first.defined() && first.dim() > 0 &&
                     std::all_of(parts.begin(), parts.end(), [&](const at::Tensor& part) {
                       return part.defined() && part.sizes() == first.sizes() &&
                              part.scalar_type() == first.scalar_type();
                     });
    if (!fit) {
      bad_weights(source_, str("'", printable(name), "' is made of ", parts.size(),
                               " tensors of one shape and type, which are not all there"));
    }
    return at::cat(parts, 0);
  }

  const std::string& source_;
  std::map<std::string, std::vector<at::Tensor>> parts_;
};

}  // namespace

Pattern::Pattern(std::string_view text) : open_(text.ends_with('*')) {
  if (open_) {
    text.remove_suffix(1);
  }
  for (std::size_t brace = text.find('{'); brace != std::string_view::npos;
       brace = text.find('{')) {
    const std::size_t end = text.find('}', brace);
    pieces_.push_back({std::string(text.substr(0, brace)),
                       parse_place(std::string(text.substr(brace + 1, end - brace - 1)))});
    text.remove_prefix(end + 1);
  }
  pieces_.push_back({std::string(text), std::nullopt});
}

Pattern::Place Pattern::parse_place(const std::string& text) {
  const std::size_t position = text.find_first_of("+-");
  if (position == std::string::npos) {
    return {.variable = text};
  }
  if (is_digit(text.front())) {  // "3-i"
    return {.variable = text.substr(position + 1), .sign = -1, .offset = std::stoll(text)};
  }
  return {.variable = text.substr(0, position), .offset = std::stoll(text.substr(position))};
}

std::optional<Pattern::Values> Pattern::match(std::string_view name) const {
  Values values;
  for (const Piece& piece : pieces_) {
    if (!name.starts_with(piece.literal)) {
      return std::nullopt;
    }
    name.remove_prefix(piece.literal.size());
    if (piece.place) {
      const auto number = take_number(name);
      if (!number) {
        return std::nullopt;
      }
      const std::int64_t value = (*number - piece.place->offset) * piece.place->sign;
      const auto known = values.numbers.emplace(piece.place->variable, value).first;
      if (value < 0 || known->second != value) {
        return std::nullopt;
      }
    }
  }
  if (!open_ && !name.empty()) {
    return std::nullopt;
  }
  values.rest = name;
  return values;
}

std::optional<std::string> Pattern::fill(const Values& values) const {
  std::string name;
  for (const Piece& piece : pieces_) {
    name += piece.literal;
    if (piece.place) {
      const auto found = values.numbers.find(piece.place->variable);
      const std::int64_t number = found == values.numbers.end()
                                      ? -1
                                      : piece.place->sign * found->second + piece.place->offset;
      if (number < 0) {
        return std::nullopt;
      }
      name += std::to_string(number);
    }
  }
  return open_ ? name + values.rest : name;
}

std::int64_t largest_number(const TensorMap& tensors, std::string_view pattern,
                            const std::string& variable) {
  const Pattern compiled(pattern);
  std::int64_t largest = -1;
  for (const auto& [name, tensor] : tensors) {
    if (const auto values = compiled.match(name)) {
      largest = std::max(largest, values->numbers.at(variable));
    }
  }
  return largest;
}

Renamed to_ours(const TensorMap& theirs, const std::vector<Rule>& rules,
                const std::string& source) {
  const std::vector<CompiledRule> compiled = compile(rules);
  Renamed renamed;
  Collection collection(source);
  const auto apply_first = [&](const std::string& name, const at::Tensor& tensor) {
    for (const CompiledRule& candidate : compiled) {
      const auto values = candidate.theirs.match(name);
      if (values && candidate.rule.ours.empty()) {
        renamed.dropped.push_back(name);
        return true;
      }
      if (const auto ours = values ? candidate.ours.fill(*values) : std::nullopt) {
        collection.add(*ours, candidate.rule, tensor);
        return true;
      }
    }
    return false;
  };
  for (const auto& [name, tensor] : theirs) {
    if (!apply_first(name, tensor)) {
      renamed.rest.emplace(name, tensor);
    }
  }
  renamed.tensors = collection.joined();
  return renamed;
}

TensorMap to_theirs(const TensorMap& ours, const std::vector<Rule>& rules) {
  const std::vector<CompiledRule> compiled = compile(rules);
  TensorMap theirs;
  // A joined tensor is taken apart by the rules of its parts, which follow one another.
  const auto apply = [&](const std::string& name, const at::Tensor& tensor) {
    for (const CompiledRule& candidate : compiled) {
      const Rule& rule = candidate.rule;
      const auto values = rule.ours.empty() ? std::nullopt : candidate.ours.match(name);
      const auto their_name = values ? candidate.theirs.fill(*values) : std::nullopt;
      if (!their_name) {
        continue;
      }
      const at::Tensor part =
          rule.parts == 1 ? tensor
                          : tensor.chunk(rule.parts, 0).at(static_cast<std::size_t>(rule.part));
      theirs.emplace(*their_name, shaped_as_theirs(part, rule.shape));
      if (rule.part + 1 == rule.parts) {
        return true;
      }
    }
    return false;
  };
  for (const auto& [name, tensor] : ours) {
    if (!apply(name, tensor)) {
      theirs.emplace(name, tensor);
    }
  }
  return theirs;
}

}  // namespace leaf::io::names
