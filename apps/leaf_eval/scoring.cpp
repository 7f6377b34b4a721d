#include "leaf_eval/scoring.h"

#include <string>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/metrics/tables.h"

namespace leaf::apps {
namespace {

/// A side of a pixel; throws ConfigError unless it is a positive number.
double side(const std::string& text, const std::string& whole) {
  const auto value = metrics::cell_number(text);
  if (!value || !(*value > 0)) {
    throw ConfigError(
        str("--spacing: '", whole, "' is neither a positive number nor two, ROW,COLUMN"));
  }
  return *value;
}

}  // namespace

/// A group by its name or by that of a metric in it.
metrics::MetricGroup group_of(const std::string& name) {
  for (const metrics::Metric& metric : metrics::all_metrics()) {
    if (metric.key == name) {
      return metric.group;
    }
  }
  return parse_enum<metrics::MetricGroup>(name, "--metrics");
}

metrics::MetricGroups metric_groups(const ScoringArguments& arguments) {
  metrics::MetricGroups groups;
  for (const std::string& name : arguments.metrics) {
    for (const auto& [group, group_name] : enum_names(metrics::MetricGroup{})) {
      if (name == "all") {
        groups.add(group);
      }
    }
    if (name != "all") {
      groups.add(group_of(name));
    }
  }
  return groups;
}

std::optional<metrics::Spacing> spacing_of(const ScoringArguments& arguments) {
  const std::string& text = arguments.spacing;
  if (text.empty()) {
    return std::nullopt;
  }
  const std::size_t comma = text.find(',');
  const double row = side(text.substr(0, comma), text);
  return metrics::Spacing{row,
                          comma == std::string::npos ? row : side(text.substr(comma + 1), text)};
}

metrics::ScoreOptions score_options(const ScoringArguments& arguments) {
  return {.groups = metric_groups(arguments),
          .spacing = spacing_of(arguments).value_or(metrics::Spacing{}),
          .tolerance = arguments.tolerance,
          .object_overlap = arguments.object_overlap};
}

metrics::BreakdownOptions breakdown_options(const ScoringArguments& arguments) {
  metrics::BreakdownOptions options;
  options.seed = arguments.bootstrap_seed;
  options.convention = &metrics::find_convention(arguments.convention);
  options.conventions = arguments.compare_conventions;
  options.by_size = arguments.by_size;
  if (!options.by_size.empty()) {
    metrics::by_size({}, options.by_size);  // what is wrong with it is said before the scoring
  }
  for (const std::string& spec : arguments.by) {
    options.by.push_back(metrics::ImageColumn::read(spec));
  }
  if (!arguments.groups.empty()) {
    options.groups = metrics::ImageColumn::read(arguments.groups);
  }
  return options;
}

void add_classes(EvaluationFacts& facts, const data::MaskClasses& classes) {
  if (classes.by_value()) {
    const std::string items = join(data::class_items(classes), ", ");
    facts.emplace_back("classes",
                       classes.several() ? str(items, " as ", enum_text(classes.coding)) : items);
  }
}

EvaluationFacts scoring_facts(const ScoringArguments& arguments) {
  return {{"spacing", arguments.spacing.empty() ? "pixels" : arguments.spacing + " mm"},
          {"tolerance", str(arguments.tolerance)},
          {"object_overlap", str(arguments.object_overlap)},
          {"groups", arguments.groups},
          {"bootstrap_seed", std::to_string(arguments.bootstrap_seed)}};
}

}  // namespace leaf::apps
