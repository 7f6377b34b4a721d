#include "leaf/config/experiment.h"

#include <set>

#include "config_files.h"
#include "leaf/core/strings.h"
#include "support/images.h"

namespace leaf::config {
namespace fs = std::filesystem;
namespace {

const std::string kTable = R"(
title: A table
output: runs
metrics: [dice, iou]
seeds: [1, 2]
set: {train.log_steps: 7}
columns:
  - {name: One, config: one.yaml, small: small.yaml}
  - {name: Two, config: two.yaml, small: small.yaml}
rows:
  - name: narrow
    set: {model.unet.attention_resolutions: [2, 4], alignment.lambda: 0}
    published: {One: [88.5, 79.59]}
  - name: default
small:
  seeds: 5
  set: {train.max_train_steps: 3}
)";

class ExperimentTest : public ConfigFiles {
 protected:
  ExperimentTest() {
    write("one.yaml", "data: {root: a}\n");
    write("two.yaml", "data: {root: b, resolution: 128}\n");
    write("small.yaml", "data: {root: c, resolution: 64}\n");
  }

  Experiment load(const std::string& text, bool small = false) {
    return load_experiment(write("table.yaml", text), small);
  }

  std::string refusal(const std::string& from, const std::string& to) {
    std::string text = kTable;
    text.replace(text.find(from), from.size(), to);
    return test::message_of<ConfigError>([&] { load(text); });
  }
};

}  // namespace

TEST_F(ExperimentTest, HasRowsColumnsAndPublishedNumbers) {
  const Experiment e = load(kTable);
  EXPECT_EQ(e.title, "A table");
  EXPECT_EQ(e.output, folder_ / "runs");
  EXPECT_EQ(e.split, "test");
  EXPECT_EQ(e.seeds, (std::vector<std::uint64_t>{1, 2}));
  ASSERT_EQ(e.columns.size(), 2U);
  EXPECT_EQ(e.columns[1].config, folder_ / "two.yaml");
  ASSERT_EQ(e.rows.size(), 2U);
  EXPECT_EQ(e.rows[0].overrides, (std::vector<std::string>{"model.unet.attention_resolutions=2,4",
                                                           "alignment.lambda=0"}));
  EXPECT_EQ(e.rows[0].published.at("One"), (std::vector<std::string>{"88.5", "79.59"}));
  const Experiment small = load(kTable, true);
  EXPECT_EQ(small.columns[0].config, folder_ / "small.yaml");
  EXPECT_EQ(small.seeds, (std::vector<std::uint64_t>{5}));
  EXPECT_EQ(small.overrides, (std::vector<std::string>{"train.max_train_steps=3"}));
}

TEST_F(ExperimentTest, EqualRunsHaveOneFolder) {
  const auto cells = cells_of(load(kTable));
  ASSERT_EQ(cells.size(), 8U);
  std::set<fs::path> folders;
  for (const ExperimentCell& cell : cells) {
    folders.insert(cell.folder);
    EXPECT_EQ(cell.overrides.back(), "output.dir=" + cell.folder.string());
    EXPECT_EQ(cell.folder.parent_path(), folder_ / "runs/runs");
  }
  EXPECT_EQ(folders.size(), 8U);
  // How often is logged does not count, nor where the data lie; what is learned does.
  std::string other = kTable;
  other.replace(other.find("log_steps: 7"), 12, "log_steps: 9");
  write("one.yaml", "data: {root: elsewhere}\n");
  EXPECT_EQ(cells_of(load(other))[0].folder, cells[0].folder);
  EXPECT_NE(cells_of(load(kTable), {"train.max_train_steps=5"})[0].folder, cells[0].folder);
  EXPECT_NE(cells_of(load(kTable), {"train.learning_rate=1e-3"})[0].folder, cells[0].folder);
}

TEST_F(ExperimentTest, WhatNoRunWouldShowIsRefused) {
  const auto message = [&](const std::string& row) {
    return test::message_of<ConfigError>([&] { cells_of(load(kTable), {row}); });
  };
  EXPECT_NE(message("seed=7").find("which has 'seeds' for it"), std::string::npos);
  EXPECT_NE(message("output.dir=x").find("which has 'output' for it"), std::string::npos);
  Experiment roots = load(kTable);
  roots.rows[1] = roots.rows[0];
  roots.rows[1].overrides.emplace_back("data.root=/elsewhere");
  EXPECT_NE(test::message_of<ConfigError>([&] { cells_of(roots); }).find("in data.root alone"),
            std::string::npos);
}

TEST_F(ExperimentTest, PathsAreRelativeToTheFile) {
  std::string text = kTable;
  text.replace(text.find("train.log_steps: 7"), 18,
               "train.feature_cache_dir: cache, alignment.weights: \"${LEAF_NO_SUCH:-a.pth}\"");
  EXPECT_EQ(load(text).overrides,
            (std::vector<std::string>{"train.feature_cache_dir=" + (folder_ / "cache").string(),
                                      "alignment.weights=" + (folder_ / "a.pth").string()}));
}

TEST_F(ExperimentTest, WhatIsWrongIsSaidWithItsLine) {
  const auto has = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message.find("table.yaml:"), std::string::npos) << message;
  };
  has(refusal("output:", "ouput:"), "unknown key 'ouput' in the experiment (did you mean 'output'");
  has(refusal("metrics: [dice, iou]", "metrics: dise"), "did you mean 'dice'");
  has(refusal("seeds: [1, 2]", "seeds: [1, x]"), "seeds expects whole numbers");
  has(refusal("seeds: [1, 2]", "seeds: [1, 1]"), "seed 1 is there twice");
  has(refusal("{One: [88.5, 79.59]}", "{One: [88.5]}"), "a number per metric");
  has(refusal("{One: [88.5, 79.59]}", "{Three: [88.5, 79.59]}"), "the name of a column");
  has(refusal("  - name: default", "  - set: {seed: 1}"), "a row needs a name");
  has(refusal("title: A table", "statistic: noise_deviation"), "needs noise_seeds");
  has(refusal("title: A table", "noise_seeds: 0"), "noise_seeds is a number from 1 to 1000");
  has(refusal("title: A table", "statistic: median"), "'median' is not one of mean");
  has(refusal("title: A table", "title: ["), "not valid YAML");
  has(refusal("title: A table", "split: tst"), "table.yaml:2: split 'tst'");
  has(refusal("title: A table", "title: A\ntitle: B"), "table.yaml:3: key 'title' is there twice");
  has(refusal("seeds: [1, 2]", "seeds: [0x10]"), "seeds expects whole numbers");
  has(refusal("metrics: [dice, iou]", "metrics: dise"), "table.yaml:4: ");
  has(refusal("{One: [88.5, 79.59]}", "{One: [88.5]}"), "table.yaml:13: ");
}

TEST_F(ExperimentTest, TheTablesOfThePaperCanBeRun) {
  const fs::path folder = fs::path(LEAF_SOURCE_DIR) / "configs/experiments";
  for (const auto& [table, runs] :
       {std::pair("table2", 24), {"table3", 28}, {"table4", 8}, {"table5", 18}, {"table6", 5}}) {
    for (const bool small : {false, true}) {
      const Experiment e = load_experiment(folder / str(table, ".yaml"), small);
      const auto expected =
          static_cast<std::size_t>(table == std::string("table5") && small ? 12 : runs);
      EXPECT_EQ(cells_of(e).size(), expected) << table;
    }
  }
}

TEST_F(ExperimentTest, TheMiniaturesShareTheirRuns) {
  const fs::path folder = fs::path(LEAF_SOURCE_DIR) / "configs/miniature";
  std::set<fs::path> runs;
  for (const char* table : {"table2", "table3", "table4", "table6", "sdseg"}) {
    for (const ExperimentCell& cell :
         cells_of(load_experiment(folder / str(table, ".yaml"), false))) {
      runs.insert(cell.folder);
    }
  }
  EXPECT_EQ(runs.size(), 36U + 5 + 4 + 2);  // table 4 and a row of each other are of table 2
}

}  // namespace leaf::config
