// A process alone that exchanges with itself on the device of LEAF_TEST_DEVICE: by NCCL on a GPU,
// by Gloo on the CPU.
#include "leaf/train/process_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include "support/small_networks.h"
#include "support/test_device.h"

namespace leaf {
namespace {

void in_group_of_one(const std::function<void(ProcessGroup& group)>& body) {
  const MeetingPlace meeting;
  ProcessPlace place;
  place.port = meeting.port();
  place.kept_by_launcher = true;
  place.alone_too = true;
  ProcessGroup group(place, test::test_device());
  body(group);
}

}  // namespace

TEST(ProcessGroupOnTheDevice, MeansAreOfTheDevicesTensors) {
  in_group_of_one([](ProcessGroup& group) {
    const at::Tensor mine = test::normal({3, 5}).to(test::test_device(), at::kDouble);
    const at::Tensor mean = group.mean(mine);
    EXPECT_FALSE(mean.is_same(mine));  // it went through the group
    EXPECT_EQ(mean.device(), mine.device());
    EXPECT_TRUE(at::equal(mean, mine));
    EXPECT_EQ(group.gather("alone"), std::vector<std::string>{"alone"});
    EXPECT_TRUE(group.any(true));
    EXPECT_FALSE(group.any(false));
  });
}

TEST(ProcessGroupOnTheDevice, GradientsAreAveragedInTheBackwardPass) {
  in_group_of_one([](ProcessGroup& group) {
    const auto parameter = [](at::IntArrayRef shape, std::uint64_t seed) {
      return test::normal(shape, seed).to(test::test_device()).requires_grad_();
    };
    const at::Tensor w = parameter({4, 3}, 1);
    const at::Tensor v = parameter({3, 2}, 2);
    group.share_gradients({w, v});
    for (int step = 0; step < 3; ++step) {  // buckets are laid out anew after the first
      w.mutable_grad().reset();
      v.mutable_grad().reset();
      w.square().mm(v).sum().backward();
      const at::Tensor of_w = w.grad().clone();
      const at::Tensor of_v = v.grad().clone();
      group.average_next_gradients();
      group.waiting([&] { w.square().mm(v).sum().backward(); });
      EXPECT_TRUE(at::allclose(w.grad(), 2 * of_w)) << step;
      EXPECT_TRUE(at::allclose(v.grad(), 2 * of_v)) << step;
    }
  });
}

}  // namespace leaf
