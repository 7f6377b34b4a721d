#include "train/log_window.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace leaf {
namespace {

std::map<std::string, at::Tensor> scalars(double loss) {
  return {{"loss", at::scalar_tensor(loss, at::kDouble)}};
}

}  // namespace

TEST(LogWindow, MeansAreOfAllStepsAndGoOnWhereAnEarlierWindowWas) {
  LogWindow whole;
  for (const double loss : {0.1, 0.7, 0.3}) {
    whole.add(scalars(loss));
    whole.add_seconds(2);
  }
  EXPECT_DOUBLE_EQ(whole.means().at("loss"), (0.1 + 0.7 + 0.3) / 3);
  EXPECT_EQ(whole.means().at("seconds_per_step"), 2);

  LogWindow first;
  first.add(scalars(0.1));
  first.add(scalars(0.7));
  LogWindow rest(first.sums(), first.steps());
  rest.add(scalars(0.3));
  rest.add_seconds(5);
  EXPECT_EQ(rest.steps(), 3);
  EXPECT_EQ(rest.means().at("loss"), whole.means().at("loss"));
  EXPECT_EQ(rest.means().at("seconds_per_step"), 5);
}

TEST(LogWindow, KeepsItsOwnCopyOfAStepsScalars) {
  LogWindow window;
  const auto step = scalars(1);
  window.add(step);
  step.at("loss").fill_(9);
  EXPECT_EQ(window.means().at("loss"), 1);
}

}  // namespace leaf
