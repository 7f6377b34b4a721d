#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "leaf/core/error.h"
#include "support/images.h"
#include "support/small_networks.h"

namespace leaf {
namespace {

using test::largest_difference;
using test::normal;

/// AdamW (Loshchilov and Hutter) for one parameter, written out in double precision.
class ReferenceAdamW {
 public:
  ReferenceAdamW(const at::Tensor& parameter, const AdamWOptions& options)
      : value(parameter.detach().to(at::kDouble).clone()),
        first_(at::zeros_like(value)),
        second_(at::zeros_like(value)),
        options_(options) {}

  void step(const at::Tensor& gradient, double learning_rate) {
    const at::Tensor g = gradient.to(at::kDouble);
    ++updates_;
    value = value * (1 - learning_rate * options_.weight_decay);
    first_ = options_.beta1 * first_ + (1 - options_.beta1) * g;
    second_ = options_.beta2 * second_ + (1 - options_.beta2) * g * g;
    const at::Tensor mean = first_ / (1 - std::pow(options_.beta1, updates_));
    const at::Tensor square = second_ / (1 - std::pow(options_.beta2, updates_));
    value = value - learning_rate * mean / (square.sqrt() + options_.epsilon);
  }

  at::Tensor value;

 private:
  at::Tensor first_, second_;
  AdamWOptions options_;
  int updates_ = 0;
};

at::Tensor make_parameter(at::IntArrayRef shape, std::uint64_t seed) {
  return normal(shape, seed).requires_grad_();
}

void set_gradient(const at::Tensor& parameter, std::uint64_t seed) {
  parameter.mutable_grad() = normal(parameter.sizes(), seed);
}

}  // namespace

TEST(AdamW, FollowsTheFormula) {
  const AdamWOptions options{.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.3};
  const at::Tensor parameter = make_parameter({5, 7}, 1);
  ReferenceAdamW reference(parameter, options);
  AdamW optimizer({{"w", parameter}}, options);
  for (const std::uint64_t step : {1, 2, 3, 4, 5}) {
    const double learning_rate = 0.02 * static_cast<double>(step);
    set_gradient(parameter, 10 + step);
    reference.step(parameter.grad(), learning_rate);
    optimizer.step(learning_rate);
    EXPECT_LT(largest_difference(parameter, reference.value), 5e-6) << step;
  }
}

TEST(AdamW, LeavesParametersWithoutGradientAlone) {
  const at::Tensor always = make_parameter({4}, 1);
  const at::Tensor sometimes = make_parameter({4}, 2);
  const at::Tensor never = make_parameter({4}, 3);
  const at::Tensor before = never.detach().clone();
  ReferenceAdamW reference(sometimes, {});
  AdamW optimizer({{"always", always}, {"sometimes", sometimes}, {"never", never}}, {});
  for (const std::uint64_t step : {1, 2, 3, 4}) {
    optimizer.zero_grad();
    set_gradient(always, step);
    if (step % 2 == 0) {  // its bias correction counts its own updates
      set_gradient(sometimes, 10 + step);
      reference.step(sometimes.grad(), 0.1);
    }
    optimizer.step(0.1);
  }
  EXPECT_TRUE(at::equal(never, before));
  EXPECT_LT(largest_difference(sometimes, reference.value), 5e-6);
  const io::TensorMap state = optimizer.state();
  EXPECT_EQ(state.at("always.updates").item<float>(), 4.0F);
  EXPECT_EQ(state.at("sometimes.updates").item<float>(), 2.0F);
  EXPECT_EQ(state.at("never.updates").item<float>(), 0.0F);
}

TEST(AdamW, WithoutAnyGradientNothingHappens) {
  const at::Tensor parameter = make_parameter({3}, 1);
  const at::Tensor before = parameter.detach().clone();
  AdamW optimizer({{"w", parameter}}, {});
  EXPECT_NO_THROW(optimizer.step(0.1));
  EXPECT_TRUE(at::equal(parameter, before));
  EXPECT_EQ(optimizer.state().at("w.updates").item<float>(), 0.0F);
}

TEST(AdamW, ZeroGradForgetsGradients) {
  const at::Tensor parameter = make_parameter({3}, 1);
  AdamW optimizer({{"w", parameter}}, {});
  set_gradient(parameter, 2);
  optimizer.zero_grad();
  EXPECT_FALSE(parameter.grad().defined());
}

TEST(AdamW, ContinuesFromItsState) {
  const at::Tensor parameter = make_parameter({3, 2}, 1);
  AdamW optimizer({{"w", parameter}}, {});
  for (const std::uint64_t step : {1, 2}) {
    set_gradient(parameter, step);
    optimizer.step(0.1);
  }
  const at::Tensor copy = parameter.detach().clone().requires_grad_();
  AdamW resumed({{"w", copy}}, {});
  resumed.load_state(optimizer.state());
  set_gradient(parameter, 3);
  set_gradient(copy, 3);
  optimizer.step(0.1);
  resumed.step(0.1);
  EXPECT_TRUE(at::equal(parameter, copy));
  EXPECT_EQ(resumed.state().at("w.updates").item<float>(), 3.0F);
  EXPECT_EQ(optimizer.state().at("w.updates").item<float>(), 3.0F);  // nothing is shared
}

TEST(AdamW, RefusesTheStateOfAnotherConfiguration) {
  AdamW optimizer({{"w", make_parameter({3}, 1)}}, {});
  const auto load = [&](const io::TensorMap& state) {
    return test::message_of<WeightsError>([&] { optimizer.load_state(state); });
  };
  io::TensorMap state = optimizer.state();
  EXPECT_EQ(load(state), "");
  state.erase("w.exp_avg_sq");
  EXPECT_NE(load(state).find("'w.exp_avg_sq' of shape [3]"), std::string::npos) << load(state);
  state = optimizer.state();
  state["w.exp_avg"] = at::zeros({4});
  EXPECT_NE(load(state).find("'w.exp_avg' of shape [3]"), std::string::npos) << load(state);
}

TEST(AdamW, ASkippedStepChangesNothing) {
  const at::Tensor w = make_parameter({3}, 1);
  const at::Tensor before = w.detach().clone();
  AdamW optimizer({{"w", w}}, {});
  w.mutable_grad() = at::full({3}, std::nanf(""));
  optimizer.step(0.1, at::ones({}));
  EXPECT_TRUE(at::equal(w.detach(), before));
  EXPECT_EQ(optimizer.state().at("w.updates").item<float>(), 0.0F);
  EXPECT_EQ(optimizer.state().at("w.exp_avg").abs().sum().item<float>(), 0.0F);
  w.mutable_grad() = at::ones({3});
  optimizer.step(0.1, at::zeros({}));
  EXPECT_FALSE(at::equal(w.detach(), before));
  EXPECT_EQ(optimizer.state().at("w.updates").item<float>(), 1.0F);
}

TEST(ClipGradients, ScalesToTheGlobalNorm) {
  const at::Tensor a = make_parameter({1}, 1);
  const at::Tensor b = make_parameter({1}, 2);
  AdamW optimizer({{"a", a}, {"b", b}, {"none", make_parameter({1}, 3)}}, {});
  EXPECT_EQ(optimizer.clip_gradients(1.0).item<double>(), 0.0);
  a.mutable_grad() = at::full({1}, 3.0F);
  b.mutable_grad() = at::full({1}, -4.0F);
  EXPECT_NEAR(optimizer.clip_gradients(10.0).item<double>(), 5.0, 1e-6);
  EXPECT_FLOAT_EQ(a.grad().item<float>(), 3.0F);
  EXPECT_NEAR(optimizer.clip_gradients(0.5).item<double>(), 5.0, 1e-6);
  EXPECT_NEAR(a.grad().item<float>(), 0.3, 1e-6);
  EXPECT_NEAR(b.grad().item<float>(), -0.4, 1e-6);
}

TEST(ClipDivisor, IsWhatBringsTheNormToTheLimit) {
  const auto divisor = [](float norm, double limit) {
    return clip_divisor(at::full({}, norm), limit).item<double>();
  };
  EXPECT_NEAR(divisor(5.0F, 0.5), 10.0, 1e-5);
  EXPECT_EQ(divisor(5.0F, 10.0), 1.0);
  EXPECT_EQ(divisor(0.0F, 1.0), 1.0);
}

TEST(AdamW, DividingInTheStepIsClippingBefore) {
  const AdamWOptions options{.weight_decay = 0.1};
  // A vector's worth of elements, and some that are left over.
  std::vector<at::Tensor> plain{make_parameter({5, 7}, 1), make_parameter({64}, 2)};
  std::vector<at::Tensor> divided;
  for (const at::Tensor& parameter : plain) {
    divided.push_back(parameter.detach().clone().requires_grad_());
  }
  AdamW clips({{"a", plain[0]}, {"b", plain[1]}}, options);
  AdamW divides({{"a", divided[0]}, {"b", divided[1]}}, options);
  for (const std::uint64_t step : {1, 2, 3, 4}) {
    const double limit = step == 2 ? 1000.0 : 0.3;  // which clips nothing once
    for (std::size_t i = 0; i < plain.size(); ++i) {
      set_gradient(plain[i], 10 * step + i);
      set_gradient(divided[i], 10 * step + i);
    }
    const at::Tensor skip = step == 3 ? at::ones({}) : at::zeros({});
    const at::Tensor norm = divides.gradient_norm();
    EXPECT_TRUE(at::equal(clips.clip_gradients(limit), norm)) << step;
    clips.step(0.01, skip);
    divides.step(0.01, skip, clip_divisor(norm, limit));
    for (std::size_t i = 0; i < plain.size(); ++i) {
      EXPECT_LT(largest_difference(plain[i], divided[i]), 1e-6) << step;
    }
  }
  for (const auto& [name, expected] : clips.state()) {
    EXPECT_TRUE(at::allclose(divides.state().at(name), expected, 1e-5, 1e-9)) << name;
  }
}

TrainSection schedule(double learning_rate, std::int64_t warmup_steps) {
  TrainSection train;
  train.learning_rate = learning_rate;
  train.num_warmup_steps = warmup_steps;
  return train;
}

TEST(LearningRateAt, RisesFromZeroAndStays) {
  const TrainSection paper = schedule(4e-5, 10000);
  EXPECT_EQ(learning_rate_at(paper, 0), 0.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(paper, 1), 4e-9);
  EXPECT_DOUBLE_EQ(learning_rate_at(paper, 5000), 2e-5);
  EXPECT_DOUBLE_EQ(learning_rate_at(paper, 10000), 4e-5);
  EXPECT_DOUBLE_EQ(learning_rate_at(paper, 99999), 4e-5);
  EXPECT_DOUBLE_EQ(learning_rate_at(schedule(4e-5, 0), 0), 4e-5);
}

/// diffusers.optimization.get_linear_schedule_with_warmup and get_cosine_schedule_with_warmup.
TEST(LearningRateAt, FallsToZeroAsDiffusersSchedules) {
  TrainSection train = schedule(1.0, 10);
  train.max_train_steps = 110;
  train.lr_scheduler = LrScheduler::kLinear;
  EXPECT_DOUBLE_EQ(learning_rate_at(train, 5), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_at(train, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(train, 35), 0.75);
  EXPECT_NEAR(learning_rate_at(train, 109), 0.01, 1e-12);
  EXPECT_EQ(learning_rate_at(train, 500), 0.0);
  train.max_train_steps = 10;  // all of them warm up
  EXPECT_DOUBLE_EQ(learning_rate_at(train, 9), 0.9);
  EXPECT_TRUE(std::isfinite(learning_rate_at(train, 10)));
  train.max_train_steps = 110;
  train.lr_scheduler = LrScheduler::kCosine;
  EXPECT_DOUBLE_EQ(learning_rate_at(train, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(train, 35), 0.5 * (1 + std::sqrt(0.5)));
  EXPECT_NEAR(learning_rate_at(train, 60), 0.5, 1e-12);
  EXPECT_EQ(learning_rate_at(train, 500), 0.0);
}

TEST(EmaDecay, IsDiffusers) {
  EXPECT_EQ(ema_decay(0.9999, 1), 0.0);
  EXPECT_DOUBLE_EQ(ema_decay(0.9999, 2), 2.0 / 11);
  EXPECT_DOUBLE_EQ(ema_decay(0.9999, 3), 3.0 / 12);
  EXPECT_DOUBLE_EQ(ema_decay(0.9999, 1000), 1000.0 / 1009);
  EXPECT_DOUBLE_EQ(ema_decay(0.9999, 1000000), 0.9999);
  EXPECT_DOUBLE_EQ(ema_decay(0.1, 2), 0.1);
}

TEST(UpdateAverage, MovesByOneMinusTheDecay) {
  const std::vector<at::Tensor> average{at::full({2}, 1.0F), at::full({1}, -1.0F)};
  const std::vector<at::Tensor> values{make_parameter({2}, 1), make_parameter({1}, 2)};
  const at::Tensor expected = 0.75 * at::ones({2}) + 0.25 * values[0].detach();
  update_average(average, values, 0.75);
  EXPECT_LT(largest_difference(average[0], expected), 1e-6);
  update_average(average, values, 0.0);
  EXPECT_LT(largest_difference(average[1], values[1]), 1e-6);
}

TEST(AdamW, ALimitOfZeroClipsNothing) {
  const at::Tensor parameter = make_parameter({5, 7}, 1);
  AdamW optimizer({{"w", parameter}}, {});
  set_gradient(parameter, 2);
  const at::Tensor before = parameter.grad().mul(100).clone();
  parameter.mutable_grad().mul_(100);
  const double norm = optimizer.clip_gradients(0).item<double>();
  EXPECT_NEAR(norm, before.norm().item<double>(), 1e-2);
  EXPECT_TRUE(at::equal(parameter.grad(), before));
}

}  // namespace leaf
