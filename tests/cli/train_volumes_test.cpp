#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/volume.h"
#include "leaf_demo_data/phantom.h"
#include "support/volumes.h"
#include "train_project.h"

namespace leaf {
namespace {

/// Cases of three slices in nnU-Net's layout, whose labels are 0 and 1.
void write_cases(const test::TinyProject& project) {
  write_file(project / "set/dataset.json",
             R"({"channel_names": {"0": "US"}, "labels": {"background": 0, "lesion": 1},
                 "numTraining": 3, "file_ending": ".nii.gz"})");
  for (std::uint64_t number = 0; number < 3; ++number) {
    std::vector<at::Tensor> images;
    std::vector<at::Tensor> masks;
    for (std::uint64_t i = 0; i < 3; ++i) {
      const apps::Phantom phantom = apps::make_phantom(64, 5, 3 * number + i);
      images.push_back(phantom.image.select(2, 0));
      masks.push_back(phantom.mask.ne(0).to(at::kByte));
    }
    const std::string name = str("case_", number);
    test::write_axial(project / ("set/imagesTr/" + name + "_0000.nii.gz"), at::stack(images));
    test::write_axial(project / ("set/labelsTr/" + name + ".nii.gz"), at::stack(masks));
  }
}

/// Six cases of two channels in files of their own.
void write_channels(const test::TinyProject& project) {
  write_file(project / "set/dataset.json",
             R"({"channel_names": {"0": "T1", "1": "T2"}, "file_ending": ".png",
                 "labels": {"background": 0, "lesion": 1}})");
  for (std::uint64_t number = 0; number < 6; ++number) {
    const apps::Phantom phantom = apps::make_phantom(64, 5, number);
    const std::string name = str("case_", number);
    for (int channel = 0; channel < 2; ++channel) {
      data::write_png(project / str("set/imagesTr/", name, "_000", channel, ".png"),
                      phantom.image.select(2, channel).contiguous());
    }
    data::write_png(project / str("set/labelsTr/", name, ".png"), phantom.mask.ne(0).to(at::kByte));
  }
}

const std::vector<std::string> kLastTwo{"data.dataset=nnunet", "data.split.strategy=tail",
                                        "data.split.validation=1", "data.split.test=1"};

}  // namespace

TEST(TrainVolumes, ChannelsInFilesOfTheirOwnAreTrainedOnAndScored) {
  const test::TrainProject project;
  write_channels(project);
  std::vector<std::string> data{"--set", "data.root=" + project.path("set")};
  data.insert(data.end(), kLastTwo.begin(), kLastTwo.end());
  const auto trained = project.train("run", data);
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const std::string rows = read_file(project / "run/split.csv");
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 7) << rows;
  EXPECT_NE(rows.find("imagesTr/case_5_0000.png,labelsTr/case_5.png,test"), std::string::npos);
  const auto scored = test::run_cpu(
      "leaf_eval", {"--model", project.path("run"), "--config", project.path("run/config.yaml"),
                    "--split", "test", "--output", project.path("eval")});
  ASSERT_EQ(scored.exit_code, 0) << scored.err;
  EXPECT_NE(read_file(project / "eval/scores.csv").find("case_5,"), std::string::npos);
  for (const char* input : {"set/imagesTr", "set/imagesTr/case_0_0000.png"}) {
    const auto segmented =
        test::run_cpu("leaf_infer", {"--model", project.path("run"), "--input", project.path(input),
                                     "--output", project.path("out")});
    EXPECT_EQ(segmented.exit_code, 2);
    EXPECT_NE(segmented.err.find("case_0_0001.png' is a channel in a file of its own"),
              std::string::npos)
        << segmented.err;
  }
}

TEST(TrainVolumes, ADataSetOfNnunetIsTrainedOnScoredAndSegmented) {
  const test::TrainProject project;
  write_cases(project);
  const std::vector<std::string> data{"--set",
                                      "data.dataset=nnunet",
                                      "data.root=" + project.path("set"),
                                      "data.split.strategy=tail",
                                      "data.split.validation=1",
                                      "data.split.test=1"};
  const auto trained = project.train("run", data);
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_EQ(read_file(project / "run/split.csv"),
            "image,mask,split\n"
            "imagesTr/case_0_0000.nii.gz,labelsTr/case_0.nii.gz,train\n"
            "imagesTr/case_1_0000.nii.gz,labelsTr/case_1.nii.gz,validation\n"
            "imagesTr/case_2_0000.nii.gz,labelsTr/case_2.nii.gz,test\n");
  const auto scored = test::run_cpu(
      "leaf_eval", {"--model", project.path("run"), "--config", project.path("run/config.yaml"),
                    "--split", "test", "--output", project.path("eval")});
  ASSERT_EQ(scored.exit_code, 0) << scored.err;
  EXPECT_NE(read_file(project / "eval/scores.csv").find("case_2#2"), std::string::npos);
  const auto segmented =
      test::run_cpu("leaf_infer", {"--model", project.path("run"), "--input",
                                   project.path("set/imagesTr"), "--output", project.path("out")});
  ASSERT_EQ(segmented.exit_code, 0) << segmented.err;
  const at::Tensor mask = test::read_slices(project / "out/case_2.nii.gz");
  EXPECT_TRUE(mask.le(1).all().item<bool>());
  const auto checked = project.train("dry", [&] {
    auto more = data;
    more.insert(more.begin(), "--dry-run");
    return more;
  }());
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
}

TEST(TrainVolumes, TheSliceAxisGoesWithTheModel) {
  const test::TrainProject project;
  write_cases(project);
  const auto trained =
      project.train("run", {"--set", "data.dataset=nnunet", "data.root=" + project.path("set"),
                            "data.split.strategy=tail", "data.split.validation=1",
                            "data.split.test=0", "data.slice_axis=j"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  const auto axis = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{"--model",  project.path("run"),
                                   "--input",  project.path("set/imagesTr/case_2_0000.nii.gz"),
                                   "--output", project.path("out")};
    words.insert(words.end(), more.begin(), more.end());
    const auto segmented = test::run_cpu("leaf_infer", words);
    EXPECT_EQ(segmented.exit_code, 0) << segmented.err;
    return project.json("out/summary.json").at("options").value("slice_axis", "auto");
  };
  EXPECT_EQ(axis({}), "j");
  EXPECT_EQ(axis({"--slice-axis", "auto"}), "auto");
}

}  // namespace leaf
