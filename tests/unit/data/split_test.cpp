#include "leaf/data/split.h"

#include <gtest/gtest.h>

#include <set>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "support/images.h"
#include "support/temporary_folder.h"

namespace leaf::data {
namespace {

using Names = std::vector<std::string>;

Names names_of(const std::vector<Pair>& pairs) {
  Names result;
  for (const Pair& pair : pairs) {
    result.push_back(pair.name);
  }
  return result;
}

/// Empty files 1.png .. COUNT.png in two folders.
void touch_pairs(const std::filesystem::path& images, const std::filesystem::path& masks,
                 int count) {
  for (int i = 1; i <= count; ++i) {
    test::touch(images / str(i, ".png"));
    test::touch(masks / str(i, ".png"));
  }
}

class SplitTest : public ::testing::Test {
 protected:
  SplitTest() {
    touch_pairs(folder_ / "images", folder_ / "masks", 10);
    config_.root = folder_.path();
    config_.split.strategy = SplitStrategy::kTail;
    config_.split.validation = 2;
    config_.split.test = 3;
  }

  template <typename Exception>
  std::string error() const {
    return test::message_of<Exception>([&] { split_pairs(config_, 1); });
  }

  test::TemporaryFolder folder_;
  DataConfig config_;
};

TEST_F(SplitTest, TailKeepsTheOrder) {
  const SplitPairs split = split_pairs(config_, 1);
  EXPECT_EQ(names_of(split.train), (Names{"1", "2", "3", "4", "5"}));
  EXPECT_EQ(names_of(split.validation), (Names{"6", "7"}));
  EXPECT_EQ(names_of(split.test), (Names{"8", "9", "10"}));
  EXPECT_EQ(&split.part(Split::kTest), &split.test);
}

TEST_F(SplitTest, FractionsRoundButTakeAtLeastOne) {
  config_.split.validation = 0.26;
  config_.split.test = 0.01;
  const SplitPairs split = split_pairs(config_, 1);
  EXPECT_EQ(split.validation.size(), 3U);
  EXPECT_EQ(split.test.size(), 1U);
}

TEST_F(SplitTest, EmptyTestPartIsAllowed) {
  config_.split.test = 0;
  EXPECT_TRUE(split_pairs(config_, 1).test.empty());
}

TEST_F(SplitTest, RandomDependsOnTheSeedAloneAndCoversAll) {
  config_.split.strategy = SplitStrategy::kRandom;
  const SplitPairs a = split_pairs(config_, 1);
  EXPECT_EQ(names_of(a.train), names_of(split_pairs(config_, 1).train));
  EXPECT_NE(names_of(a.train), names_of(split_pairs(config_, 2).train));
  EXPECT_EQ(a.train.size(), 5U);
  std::set<std::string> all;
  for (const auto* part : {&a.train, &a.validation, &a.test}) {
    for (const std::string& name : names_of(*part)) {
      EXPECT_TRUE(all.insert(name).second) << name << " is in two parts";
    }
  }
  EXPECT_EQ(all.size(), 10U);
}

TEST_F(SplitTest, ImpossibleAmounts) {
  config_.split.validation = -0.1;
  EXPECT_NE(error<ConfigError>().find("SplitConfig::validation"), std::string::npos);
  config_.split.validation = 2.5;
  EXPECT_NE(error<ConfigError>().find("SplitConfig::validation"), std::string::npos);
  config_.split.validation = 7;
  EXPECT_NE(error<DataError>().find("no images are left to train on"), std::string::npos);
}

TEST_F(SplitTest, GroupsStayWhole) {
  config_.split.strategy = SplitStrategy::kGroups;
  config_.split.groups = folder_ / "groups.csv";
  write_file(config_.split.groups,
             "frame,sequence\n1,a\n2,a\n3,a\n4,b\n5,b\n6,c\n7,c\n8,d\n9,d\n10,e\n");
  const SplitPairs split = split_pairs(config_, 1);
  EXPECT_EQ(names_of(split.test), (Names{"8", "9", "10"}));
  EXPECT_EQ(names_of(split.validation), (Names{"6", "7"}));
  EXPECT_EQ(split.train.size(), 5U);
}

TEST_F(SplitTest, ABlankMakesNoNewGroup) {
  config_.split.strategy = SplitStrategy::kGroups;
  config_.split.groups = folder_ / "groups.csv";
  write_file(config_.split.groups,
             "\xEF\xBB\xBFname,group\r\n1,a\r\n2,a\r\n3,a\r\n4,b\r\n5,b\r\n6,c\r\n7,c \r\n"
             "8,d\r\n9, d\r\n10,\"d\"\r\n");
  const SplitPairs split = split_pairs(config_, 1);
  EXPECT_EQ(names_of(split.test), (Names{"8", "9", "10"}));
  EXPECT_EQ(names_of(split.validation), (Names{"6", "7"}));
}

TEST_F(SplitTest, GroupErrors) {
  config_.split.strategy = SplitStrategy::kGroups;
  EXPECT_NE(error<ConfigError>().find("SplitConfig::groups"), std::string::npos);
  config_.split.groups = folder_ / "groups.csv";
  write_file(config_.split.groups, "name,group\n1,a\n");
  EXPECT_NE(error<DataError>().find("'2' has no group"), std::string::npos);
  const auto expect = [this](const std::string& content, const std::string& part) {
    write_file(config_.split.groups, content);
    const std::string message = error<DataError>();
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect("name,group\n1\n", "line 2: expected name,group");
  expect("name,group\n1,a\n1,b\n", "line 3: '1' has the group 'a' in line 2 already");
  expect("name,group\n1,a\n2,\n", "line 3: the group of '2' is empty");
  expect("name,group\n1,a\n ,b\n", "line 3: the name is empty");
  expect("1,a\n2,b\n", "line 1: the first line must name the columns name,group, but '1' is an");
  std::string one_group = "name,group\n";
  for (int i = 1; i <= 10; ++i) {
    one_group += str(i, ",a\n");
  }
  write_file(config_.split.groups, one_group);
  EXPECT_NE(error<DataError>().find("no images are left to train on"), std::string::npos);
}

TEST_F(SplitTest, ManifestReproducesASplit) {
  config_.split.strategy = SplitStrategy::kRandom;
  const SplitPairs random = split_pairs(config_, 5);
  config_.split.manifest = folder_ / "split.csv";
  write_split_csv(config_.split.manifest, random, config_.root);
  EXPECT_TRUE(read_file(config_.split.manifest).starts_with("image,mask,split\nimages/"));
  config_.split.strategy = SplitStrategy::kManifest;
  const SplitPairs again = split_pairs(config_, 99);
  EXPECT_EQ(names_of(again.train), names_of(random.train));
  EXPECT_EQ(names_of(again.validation), names_of(random.validation));
  EXPECT_EQ(names_of(again.test), names_of(random.test));
}

TEST_F(SplitTest, ARunKeepsItsPartsWhenImagesComeAndGo) {
  const SplitPairs before = split_pairs(config_, 1);
  write_split_csv(folder_ / "split.csv", before, config_.root);
  std::filesystem::remove(folder_ / "images/2.png");
  std::filesystem::remove(folder_ / "masks/2.png");
  test::touch(folder_ / "images/11.png");
  test::touch(folder_ / "masks/11.png");
  const SplitPairs after = split_pairs_of_run(config_, folder_ / "split.csv");
  EXPECT_EQ(names_of(after.train), (Names{"1", "3", "4", "5"}));
  EXPECT_EQ(names_of(after.validation), names_of(before.validation));
  EXPECT_EQ(names_of(after.test), names_of(before.test));
}

TEST_F(SplitTest, ManifestErrorsNameTheRow) {
  config_.split.strategy = SplitStrategy::kManifest;
  EXPECT_NE(error<ConfigError>().find("SplitConfig::manifest"), std::string::npos);
  config_.split.manifest = folder_ / "split.csv";
  const auto error_for = [this](const std::string& rows) {
    write_file(config_.split.manifest, "image,mask,split\n" + rows);
    return error<DataError>();
  };
  const std::string one = "images/1.png,masks/1.png,";
  EXPECT_NE(error_for(one + "train\nimages/x.png,masks/x.png,train\n").find("line 3: no image"),
            std::string::npos);
  EXPECT_NE(error_for("images/1.png,masks/2.png,train\n").find("the mask of"), std::string::npos);
  EXPECT_NE(error_for(one + "validaton\n").find("did you mean 'validation'"), std::string::npos);
  EXPECT_NE(error_for(one + "test\n").find("no images are left to train on"), std::string::npos);
  EXPECT_NE(error_for(one + "train\n" + one + "test\n").find("but for train in line 2 already"),
            std::string::npos);
  EXPECT_NE(error_for(one + "test\n" + one + "test\n").find("line 3: 'images/1.png' is listed"),
            std::string::npos);
  EXPECT_NE(error_for("images/1.png\n").find("expected image,mask,split"), std::string::npos);
  EXPECT_NE(error_for("Images/1.png,masks/1.png,train\n").find("'images/1.png' there differs in"),
            std::string::npos);
  write_file(config_.split.manifest, one + "train\nimages/2.png,masks/2.png,test\n");
  EXPECT_NE(error<DataError>().find("line 1: the first line must name the columns"),
            std::string::npos);
}

TEST_F(SplitTest, ManifestMayValidateOnTheTestPart) {
  config_.split.strategy = SplitStrategy::kManifest;
  config_.split.manifest = folder_ / "split.csv";
  write_file(config_.split.manifest,
             "image,mask,split\nimages/1.png,masks/1.png,train\n"
             "images/2.png,masks/2.png,validation\nimages/2.png,masks/2.png,test\n");
  const SplitPairs split = split_pairs(config_, 1);
  EXPECT_EQ(names_of(split.validation), names_of(split.test));
}

TEST_F(SplitTest, FolderHasNoPublishedSplit) {
  config_.split.strategy = SplitStrategy::kPublished;
  EXPECT_NE(error<ConfigError>().find("needs a published data set"), std::string::npos);
}

TEST(PublishedSplit, CvcIs490And60Of612) {
  const test::TemporaryFolder folder;
  touch_pairs(folder / "PNG/Original", folder / "PNG/Ground Truth", 612);
  DataConfig config;
  config.dataset = "cvc-clinicdb";
  config.root = folder.path();
  config.split.strategy = SplitStrategy::kPublished;
  const SplitPairs split = split_pairs(config, 1);
  EXPECT_EQ(split.train.size(), 490U);
  EXPECT_EQ(split.test.size(), 60U);
  EXPECT_EQ(split.test.front().name, "553");
  EXPECT_EQ(names_of(split.validation), names_of(split.test));
}

TEST(OwnTestPart, StaysTheTestPart) {
  const test::TemporaryFolder folder;
  touch_pairs(folder / "train/Images", folder / "train/Ground-truths", 8);
  touch_pairs(folder / "test/Images", folder / "test/Ground-truths", 3);
  DataConfig config;
  config.dataset = "qata-cov19";
  config.root = folder.path();
  config.split = {SplitStrategy::kTail, 2, 5, {}, {}, {}, 0};
  SplitPairs split = split_pairs(config, 1);
  EXPECT_EQ(split.train.size(), 6U);
  EXPECT_EQ(names_of(split.validation), (Names{"7", "8"}));
  EXPECT_EQ(names_of(split.test), (Names{"1", "2", "3"}));
  config.split.strategy = SplitStrategy::kPublished;
  split = split_pairs(config, 1);
  EXPECT_EQ(split.train.size(), 8U);
  EXPECT_EQ(split.validation.size(), 3U);
}

}  // namespace
}  // namespace leaf::data
