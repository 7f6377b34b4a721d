#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/data/split.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

class FoldsTest : public ::testing::Test {
 protected:
  FoldsTest() {
    for (const std::string name : {"a", "b", "c_0000", "d"}) {
      test::touch(folder_ / ("images/" + name + ".png"));
      test::touch(folder_ / ("masks/" + name + ".png"));
    }
    config_.root = folder_.path();
    config_.split.strategy = SplitStrategy::kNnunet;
    config_.split.folds = folder_ / "splits_final.json";
  }

  SplitPairs split(const std::string& json, std::int64_t fold = 0) {
    write_file(config_.split.folds, json);
    config_.split.fold = fold;
    return split_pairs(config_, 1);
  }

  template <typename Error>
  std::string refusal(const std::string& json, std::int64_t fold = 0) {
    return test::message_of<Error>([&] { split(json, fold); });
  }

  test::TemporaryFolder folder_;
  DataConfig config_;
};

}  // namespace

TEST_F(FoldsTest, TheChosenFoldTrainsAndValidates) {
  const std::string json =
      R"([{"train": ["a", "b"], "val": ["c", "d"]}, {"train": ["d", "c"], "val": ["a"]}])";
  const SplitPairs first = split(json);
  ASSERT_EQ(first.train.size(), 2U);
  EXPECT_EQ(first.train[1].name, "b");
  ASSERT_EQ(first.validation.size(), 2U);
  EXPECT_EQ(first.validation[0].name, "c_0000");
  EXPECT_TRUE(first.test.empty());
  const SplitPairs second = split(json, 1);
  EXPECT_EQ(second.train[0].name, "d");
  EXPECT_EQ(second.validation.size(), 1U);
}

TEST_F(FoldsTest, WhatDoesNotFitIsRefused) {
  const auto has = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  has(refusal<DataError>("{"), "no list of folds");
  has(refusal<DataError>("[]"), "no list of folds");
  has(refusal<DataError>(R"([{"train": ["a"]}])"), "no list 'val'");
  has(refusal<DataError>(R"(["a"])"), "no list 'train'");
  has(refusal<DataError>(R"([{"train": [1], "val": []}])"), "no name");
  has(refusal<DataError>(R"([{"train": ["x"], "val": []}])"), "no image 'x'");
  has(refusal<DataError>(R"([{"train": ["a"], "val": ["a"]}])"), "'a' is listed twice");
  has(refusal<ConfigError>(R"([{"train": ["a"], "val": ["b"]}])", 1), "has the folds 0 to 0");
}

}  // namespace leaf::data
