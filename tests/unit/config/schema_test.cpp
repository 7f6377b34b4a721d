#include "config/schema.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "config/differences.h"
#include "data/registry.h"
#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"

namespace leaf::config {
namespace {

/// A value that the field takes and that is not its default.
Value another_value(const Field& field) {
  const Value now = field.get();
  std::vector<Value> all{{{"true"}}, {{"false"}}, {{"0.25"}},
                         {{"33"}},   {{"text"}},  {{"3", "5"}, true}};
  const std::string& names = field.expects;  // "one of a, b, c"
  for (std::size_t at = 7; names.starts_with("one of ") && at < names.size();) {
    const auto end = std::min(names.find(", ", at), names.size());
    all.insert(all.begin(), Value{{names.substr(at, end - at)}});
    at = end + 2;
  }
  for (const auto& value : all) {
    try {
      field.set(value);
      if (field.get().items != now.items) {
        field.set(now);
        return value;
      }
    } catch (const ConfigError&) {
      continue;
    }
  }
  ADD_FAILURE() << "no other value for " << field.key;
  return now;
}

}  // namespace

TEST(Schema, EveryKeyHasItsOwnMember) {
  Config config;
  const auto fields = schema(config);
  EXPECT_GT(fields.size(), 60U);
  Config untouched;
  const auto untouched_fields = schema(untouched);
  for (const auto& field : fields) {
    const Value old = field.get();
    field.set(another_value(field));
    for (std::size_t i = 0; i < fields.size(); ++i) {
      EXPECT_EQ(fields[i].get().items == untouched_fields[i].get().items,
                fields[i].key != field.key)
          << field.key << " and " << fields[i].key;
    }
    field.set(old);
  }
}

TEST(Schema, KeysAreUniqueAndExplained) {
  Config config;
  std::set<std::string> keys;
  for (const auto& field : schema(config)) {
    EXPECT_TRUE(keys.insert(field.key).second) << field.key;
    EXPECT_TRUE(field.help.ends_with(".")) << field.key;
    EXPECT_FALSE(field.expects.empty()) << field.key;
  }
}

TEST(Schema, DefaultsAreAcceptedByTheirOwnRanges) {
  Config config;
  for (const auto& field : schema(config)) {
    EXPECT_NO_THROW(field.set(field.get())) << field.key;
  }
  EXPECT_NO_THROW(check(config));
}

TEST(Schema, DatasetsAreThoseOfTheRegistry) {
  std::vector<std::string> names;
  for (const auto& layout : data::dataset_layouts()) {
    names.push_back(layout.name);
  }
  Config config;
  EXPECT_EQ(find_field(schema(config), "data.dataset")->expects, "one of " + join(names, ", "));
}

TEST(Schema, DifferencesTellWhatARunMayChange) {
  Config before;
  Config now;
  EXPECT_TRUE(differences(before, now).others.empty());
  EXPECT_TRUE(differences(before, now).harmless.empty());
  now.seed = 7;
  now.model.unet.channel_mult = {1, 2};
  now.data.root = "/data";
  now.train.log_steps = 5;
  const Differences found = differences(before, now);
  EXPECT_EQ(found.others, (std::vector<std::string>{
                              "seed: 1337 before, now 7",
                              "model.unet.channel_mult: [1, 2, 2, 4, 4] before, now [1, 2]"}));
  EXPECT_EQ(found.harmless, (std::vector<std::string>{"data.root: nothing before, now /data",
                                                      "train.log_steps: 50 before, now 5"}));
}

TEST(Schema, MoreStepsAreHarmlessAtAConstantRateAlone) {
  Config before;
  Config now;
  now.train.max_train_steps = 2 * before.train.max_train_steps;
  EXPECT_EQ(differences(before, now).others.size(), 0U);
  before.train.lr_scheduler = now.train.lr_scheduler = LrScheduler::kCosine;
  EXPECT_EQ(differences(before, now).others,
            std::vector<std::string>{"train.max_train_steps: 100000 before, now 200000"});
  EXPECT_EQ(differences(before, now).harmless.size(), 0U);
}

TEST(Schema, DocumentationIsUpToDate) {
  const std::filesystem::path file =
      std::filesystem::path(LEAF_SOURCE_DIR) / "docs/configuration.md";
  if (std::getenv("LEAF_UPDATE_DOCS") != nullptr) {
    write_file(file, configuration_markdown());
  }
  EXPECT_EQ(read_file(file), configuration_markdown())
      << "run this test with LEAF_UPDATE_DOCS=1 to write " << file;
}

}  // namespace leaf::config
