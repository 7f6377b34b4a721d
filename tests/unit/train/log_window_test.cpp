#include "train/log_window.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

namespace leaf {
namespace {

std::map<std::string, at::Tensor> scalars(double loss) {
  return {{"loss", at::scalar_tensor(loss, at::kDouble)}};
}

const at::Tensor& finite() {
  static const at::Tensor yes = at::scalar_tensor(true, at::kBool);
  return yes;
}

}  // namespace

TEST(LogWindow, MeansAreOfAllStepsAndGoOnWhereAnEarlierWindowWas) {
  LogWindow whole;
  for (const double loss : {0.1, 0.7, 0.3}) {
    whole.add(scalars(loss), finite());
    whole.add_seconds(2);
  }
  EXPECT_DOUBLE_EQ(whole.means().at("loss"), (0.1 + 0.7 + 0.3) / 3);
  EXPECT_EQ(whole.means().at("seconds_per_step"), 2);

  LogWindow first;
  first.add(scalars(0.1), finite());
  first.add(scalars(0.7), finite());
  LogWindow rest(first.sums(), first.steps());
  rest.add(scalars(0.3), finite());
  rest.add_seconds(5);
  EXPECT_EQ(rest.steps(), 3);
  EXPECT_EQ(rest.means().at("loss"), whole.means().at("loss"));
  EXPECT_EQ(rest.means().at("seconds_per_step"), 5);
}

TEST(LogWindow, KeepsItsOwnCopyOfAStepsScalars) {
  LogWindow window;
  const auto step = scalars(1);
  window.add(step, finite());
  step.at("loss").fill_(9);
  EXPECT_EQ(window.means().at("loss"), 1);
}

TEST(LogWindow, StepsThatAreNotFiniteDoNotCount) {
  const at::Tensor no = at::scalar_tensor(false, at::kBool);
  const auto nan = scalars(std::numeric_limits<double>::quiet_NaN());
  LogWindow window;
  window.add(nan, no);
  window.add_seconds(3);
  EXPECT_EQ(window.steps(), 0);
  EXPECT_EQ(window.means(), (Scores{{"seconds_per_step", 3}}));
  window.add(scalars(0.5), finite());
  window.add(scalars(1), finite());
  window.add(nan, no);
  window.add_seconds(5);
  EXPECT_EQ(window.steps(), 2);
  EXPECT_EQ(window.sums().at("loss"), 1.5);
  EXPECT_EQ(window.means().at("loss"), 0.75);
  EXPECT_EQ(window.means().at("seconds_per_step"), 2);
}

}  // namespace leaf
