#include <gtest/gtest.h>

#include "core/csv.h"
#include "leaf/core/files.h"
#include "leaf/metrics/tables.h"
#include "leaf/pipeline/evaluation.h"
#include "report_fixture.h"
#include "support/json_schema.h"
#include "support/temporary_folder.h"

namespace leaf {
namespace {

using Json = nlohmann::ordered_json;
using test::JsonSchema;

JsonSchema schema(const std::string& name) {
  return JsonSchema(Json::parse(read_file(std::filesystem::path(LEAF_SOURCE_DIR) / "docs/schemas" /
                                          (name + ".schema.json"))));
}

/// A row of a table as the schema means it: numbers, and null for an empty cell.
Json row_json(const std::vector<std::string>& header, const std::vector<std::string>& row) {
  Json json{{"name", row[0]}};
  for (std::size_t i = 1; i < row.size(); ++i) {
    const double value = metrics::cell_number(row[i]).value();
    const bool whole = row[i].find('.') == std::string::npos;
    json[header[i]] = !metrics::is_defined(value) ? Json()
                      : whole                     ? Json(static_cast<std::int64_t>(value))
                                                  : Json(value);
  }
  return json;
}

TEST(Schemas, FitWhatIsWritten) {
  const test::TemporaryFolder folder;
  test::ReportFixture fixture(12);
  fixture.summary.seed_means.assign(3, std::vector<double>(metrics::all_metrics().size(), 0.5));
  fixture.summary.seed_means.back().back() = metrics::kUndefined;
  write_evaluation(folder.path(), fixture.evaluation, fixture.summary);
  const JsonSchema::Faults none;
  EXPECT_EQ(schema("summary").faults(Json::parse(read_file(folder / "summary.json"))), none);
  const auto rows = read_csv(folder / "scores.csv");
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(schema("scores").faults(row_json(rows[0], rows[i])), none) << i;
  }
}

TEST(Schemas, FitSeveralClasses) {
  const test::TemporaryFolder folder;
  test::ReportFixture fixture(5);
  fixture.make_classes();
  fixture.summary.facts.emplace_back("classes", "background=0, disc=1, cup=2 as colours");
  write_evaluation(folder.path(), fixture.evaluation, fixture.summary);
  const JsonSchema::Faults none;
  EXPECT_EQ(schema("summary").faults(Json::parse(read_file(folder / "summary.json"))), none);
  const auto rows = read_csv(folder / "scores.csv");
  for (std::size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(schema("scores").faults(row_json(rows[0], rows[i])), none) << i;
  }
}

TEST(Schemas, StateTheColumnsInTheirOrder) {
  const test::TemporaryFolder folder;
  const test::ReportFixture fixture(2);
  write_evaluation(folder.path(), fixture.evaluation, fixture.summary);
  std::vector<std::string> columns;
  const JsonSchema scores = schema("scores");
  for (const auto& [name, property] : scores.root().at("properties").items()) {
    columns.push_back(name);
  }
  EXPECT_EQ(columns, read_csv(folder / "scores.csv").front());
}

TEST(Schemas, NoticeWhatDoesNotFit) {
  const test::TemporaryFolder folder;
  const test::ReportFixture fixture(2);
  write_evaluation(folder.path(), fixture.evaluation, fixture.summary);
  const Json good = Json::parse(read_file(folder / "summary.json"));
  Json bad = good;
  bad["scores"]["dice"].erase("mean");
  EXPECT_EQ(schema("summary").faults(bad), JsonSchema::Faults{"$.scores.dice: lacks mean"});
  bad = good;
  bad["scores"]["dyce"] = 1;
  EXPECT_EQ(schema("summary").faults(bad), JsonSchema::Faults{"$.scores: unknown dyce"});
  bad = good;
  bad["scores"]["count"] = "12";
  EXPECT_EQ(schema("summary").faults(bad),
            JsonSchema::Faults{"$.scores.count: \"12\" is not of type \"integer\""});
}

}  // namespace
}  // namespace leaf
