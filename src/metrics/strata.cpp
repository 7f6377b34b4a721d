#include "leaf/metrics/strata.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>

#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/tables.h"
#include "samples.h"

namespace leaf::metrics {
namespace {

constexpr const char* kBySize = "size of target";
constexpr const char* kNotStated = "not stated";

std::string text_of(double number) {
  return number == std::floor(number) && std::abs(number) < 1e15 ? fixed(number, 0)
                                                                 : fixed(number, 4);
}

/// Upper ends that divide the values into three parts of about equal size.
std::vector<double> terciles(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  if (values.empty()) {
    return {};
  }
  return {sorted_percentile(values, 1.0 / 3), sorted_percentile(values, 2.0 / 3)};
}

/// "up to 100", "above 100 to 500", "above 500".
std::vector<std::string> level_names(const std::vector<double>& ends, const std::string& unit) {
  std::vector<std::string> names;
  std::string from;
  for (const double end : ends) {
    names.push_back(from.empty() ? str("up to ", text_of(end), unit)
                                 : str("above ", from, " to ", text_of(end), unit));
    from = text_of(end);
  }
  names.push_back(from.empty() ? "all" : str("above ", from, unit));
  return names;
}

/// Sorts images into bins by their numbers; undefined ones into a level of their own at the end.
std::vector<Stratum> by_number(const std::string& by, const std::vector<double>& numbers,
                               const std::vector<double>& ends, const std::string& unit,
                               const std::string& undefined) {
  std::vector<Stratum> strata;
  for (const std::string& name : level_names(ends, unit)) {
    strata.push_back({by, name, {}});
  }
  strata.push_back({by, undefined, {}});
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto bin = std::lower_bound(ends.begin(), ends.end(), numbers[i]) - ends.begin();
    (is_defined(numbers[i]) ? strata[static_cast<std::size_t>(bin)] : strata.back())
        .images.push_back(i);
  }
  std::erase_if(strata, [](const Stratum& stratum) { return stratum.images.empty(); });
  return strata;
}

/// "1000,5000" -> 1000, 5000.
std::vector<double> parse_ends(const std::string& text) {
  std::vector<double> ends;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const auto value = cell_number(text.substr(at, comma - at));
    if (!value || !is_defined(*value) || *value <= 0 || (!ends.empty() && *value <= ends.back())) {
      throw ConfigError(str("BreakdownOptions::by_size: '", text,
                            "' is neither 'terciles' nor areas in pixels that rise ('1000,5000')"));
    }
    ends.push_back(*value);
    at = comma + 1;
  }
  return ends;
}

/// The numbers of a column; nothing when one of its values is none.
std::optional<std::vector<double>> as_numbers(const std::vector<std::string>& values) {
  std::vector<double> numbers;
  for (const std::string& value : values) {
    const auto number = cell_number(value);
    if (!number) {
      return std::nullopt;
    }
    numbers.push_back(*number);
  }
  return numbers;
}

std::vector<Stratum> by_value(const std::string& by, const std::vector<std::string>& values,
                              const std::function<bool(std::string, std::string)>& less) {
  std::map<std::string, std::vector<std::size_t>, std::function<bool(std::string, std::string)>>
      levels(less);
  for (std::size_t i = 0; i < values.size(); ++i) {
    levels[values[i]].push_back(i);
  }
  std::vector<Stratum> strata;
  for (const auto& [level, images] : levels) {
    strata.push_back({by, level.empty() ? kNotStated : level, images});
  }
  return strata;
}

template <typename T>
std::vector<T> pick(const std::vector<T>& all, const std::vector<std::size_t>& rows) {
  std::vector<T> picked;
  for (const std::size_t row : rows) {
    picked.push_back(all[row]);
  }
  return picked;
}

}  // namespace

std::vector<std::string> values_of(const ImageColumn& column,
                                   const std::vector<ImageScore>& scores) {
  std::vector<std::string> values;
  for (const ImageScore& score : scores) {
    values.push_back(column.of(score.name));
  }
  return values;
}

std::vector<std::string> groups_by(const ImageColumn& column,
                                   const std::vector<std::string>& names) {
  std::vector<std::string> groups;
  std::size_t missing = 0;
  for (const std::string& name : names) {
    const std::string group = column.of(name);
    missing += group.empty() ? 1 : 0;
    groups.push_back(group.empty() ? str("image ", name) : group);
  }
  if (missing > 0) {
    log::warn(str(missing, " of ", names.size(), " images have no '", column.name(),
                  "'; each of them is a group of its own"));
  }
  return groups;
}

std::vector<Stratum> by_size(const std::vector<ImageScore>& scores, const std::string& bins) {
  std::vector<double> areas;
  for (const ImageScore& score : scores) {
    const std::int64_t area = score.c.tp + score.c.fn;
    areas.push_back(area > 0 ? static_cast<double>(area) : kUndefined);
  }
  auto ends = bins == "terciles" ? terciles(defined(areas)) : parse_ends(bins);
  for (double& end : ends) {
    end = std::floor(end);  // areas are whole pixels
  }
  return by_number(kBySize, areas, ends, " px", "no target");
}

std::vector<Stratum> by_column(const std::vector<ImageScore>& scores, const ImageColumn& column) {
  constexpr std::size_t kMostLevels = 8;
  const std::vector<std::string> values = values_of(column, scores);
  const auto numbers = as_numbers(values);
  std::set<std::string> different(values.begin(), values.end());
  different.erase("");
  if (numbers && different.size() > kMostLevels) {
    return by_number(column.name(), *numbers, terciles(defined(*numbers)), "", kNotStated);
  }
  return by_value(column.name(), values, [&](const std::string& a, const std::string& b) {
    if (a.empty() || b.empty()) {
      return !a.empty() && b.empty();  // what is not stated comes last
    }
    const double x = numbers ? *cell_number(a) : kUndefined;
    const double y = numbers ? *cell_number(b) : kUndefined;
    if (is_defined(x) && is_defined(y) && x != y) {
      return x < y;
    }
    return is_defined(x) != is_defined(y) ? is_defined(x) : a < b;  // infinity behind numbers
  });
}

std::vector<StratumSummary> summarise_strata(const std::vector<ImageScore>& scores,
                                             const std::vector<Stratum>& strata,
                                             const SummaryOptions& options) {
  std::vector<StratumSummary> result;
  for (const Stratum& stratum : strata) {
    SummaryOptions own = options;
    own.groups = options.groups.empty() ? options.groups : pick(options.groups, stratum.images);
    result.push_back({stratum, summarise(pick(scores, stratum.images), own)});
  }
  return result;
}

}  // namespace leaf::metrics
