#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "leaf/config/config.h"
#include "leaf/io/tensor_map.h"

namespace leaf {

/// Parameters with the names under which their state is saved ("unet.out.2.weight").
using NamedParameters = std::vector<std::pair<std::string, at::Tensor>>;

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
};

/// AdamW with decoupled weight decay (PyTorch's, through LibTorch's fused operator). Parameters
/// whose gradient is undefined are left alone.
class AdamW {
 public:
  AdamW(const NamedParameters& parameters, const AdamWOptions& options);

  /// One update at this learning rate; none where `skip`, a float scalar on the parameters' device,
  /// is 1: a decision that the CPU need not know. Gradients are divided by `divisor`, another such
  /// scalar (clip_divisor), where there is one.
  void step(double learning_rate, const at::Tensor& skip = {}, const at::Tensor& divisor = {});
  void zero_grad();

  /// The global L2 norm of all gradients, a scalar on the parameters' device. Waits for nothing.
  at::Tensor gradient_norm() const;

  /// Scales all gradients so that their global L2 norm is at most `max_norm` (0: any); returns the
  /// norm before, a scalar on the parameters' device. Waits for nothing.
  at::Tensor clip_gradients(double max_norm);

  /// Both moments of every parameter (NAME.exp_avg, NAME.exp_avg_sq), and how often it was updated.
  io::TensorMap state() const;
  /// Throws WeightsError when a name or shape does not fit.
  void load_state(const io::TensorMap& state);

 private:
  struct Slot {
    std::string name;
    at::Tensor parameter, exp_avg, exp_avg_sq, updates;
  };
  std::vector<at::Tensor> gradients() const;
  std::vector<Slot> slots_;
  AdamWOptions options_;
};

/// What gradients of that global norm are divided by so that it is at most `max_norm` (above 0), in
/// float32; step() does so in its own pass over them, which clip_gradients() spares a GPU.
at::Tensor clip_divisor(const at::Tensor& norm, double max_norm);

/// The rate of step k (from 0), as diffusers' schedules of the same names: during the warm-up
/// learning_rate * k / num_warmup_steps, then what lr_scheduler says.
double learning_rate_at(const TrainSection& train, std::int64_t step);

/// Exponential moving average of a network, updated after every optimizer step with diffusers'
/// decay: 0 at the first update, then min(max_decay, (1 + k) / (10 + k)), k = 1 at the second.
double ema_decay(double max_decay, std::int64_t update);

/// average <- average + (1 - decay) * (value - average), element by element, for equal lists.
void update_average(const std::vector<at::Tensor>& average, const std::vector<at::Tensor>& values,
                    double decay);

}  // namespace leaf
