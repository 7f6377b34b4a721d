#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/data/image_io.h"
#include "leaf/pipeline/evaluation.h"
#include "support/images.h"
#include "support/temporary_folder.h"
#include "support/volumes.h"

namespace leaf {

TEST(EvaluationMasks, WhatIsNoProbabilityIsRefused) {
  const test::TemporaryFolder folder;
  const at::Tensor mask = at::ones({2, 4, 4}, at::kByte);
  test::write_axial(folder / "mask.nii", mask);
  const auto message_of = [&](double value) {
    test::write_axial(folder / "map.nii", at::full({2, 4, 4}, value, at::kFloat));
    return test::message_of<DataError>([&] {
      load_masks({"a", folder / "mask.nii", folder / "mask.nii", folder / "map.nii"}, {});
    });
  };
  EXPECT_NE(message_of(4).find("map.nii' has values from 4 to 4"), std::string::npos);
  EXPECT_NE(message_of(-1).find("probabilities lie between 0 and 1"), std::string::npos);
  test::write_axial(folder / "map.nii", at::full({2, 4, 4}, 0.5, at::kFloat));
  const MaskPair good{"a", folder / "mask.nii", folder / "mask.nii", folder / "map.nii"};
  EXPECT_TRUE(load_masks(good, {}).probability->eq(0.5).all().item<bool>());
  test::write_axial(folder / "map.nii", at::full({2, 4, 4}, 1.0000001, at::kFloat));
  EXPECT_TRUE(load_masks(good, {}).probability->eq(1).all().item<bool>());
}

TEST(EvaluationMasks, VolumesAmongImagesHaveTheirColumns) {
  const test::TemporaryFolder folder;
  test::write_axial(folder / "a.nii", at::ones({2, 4, 4}, at::kByte));
  data::write_png(folder / "b.png", test::half_mask(4, 4));
  const std::vector<MaskPair> pairs{{"a", folder / "a.nii", folder / "a.nii", {}},
                                    {"b", folder / "b.png", folder / "b.png", {}}};
  const metrics::ScoreOptions scoring{.groups = {metrics::MetricGroup::kBoundary}};
  const Evaluation both = evaluate_masks(pairs, {}, scoring, {});
  EXPECT_TRUE(both.scores[0].groups.has(metrics::MetricGroup::kBoundary));
  EXPECT_FALSE(metrics::is_defined(both.scores[0].value("hd95")));
  EXPECT_EQ(both.scores[1].value("hd95"), 0);
  const Evaluation alone = evaluate_masks({pairs[0]}, {}, scoring, {});
  EXPECT_FALSE(alone.scores[0].groups.has(metrics::MetricGroup::kBoundary));
}

}  // namespace leaf
