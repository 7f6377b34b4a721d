// Every kind of large 3x3 convolution in the full-size network (256x256, batch 1), and those of its
// deep levels: packed, against LibTorch's conv2d in channels-last order, in turns on this machine.
// LibTorch runs in float32 and, its weight laid out once, in bfloat16.
//   cmake --build build/cpu --target conv_layers && build/cpu/bin/conv_layers [THREADS]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "leaf/core/cpu_allocator.h"
#include "ops/conv2d.h"

namespace {

struct Layer {
  std::int64_t channels;
  std::int64_t out_channels;
  std::int64_t side;      // of the output
  bool upsample = false;  // by 2, before
  std::int64_t stride = 1;
};

// Autoencoder, then U-Net, each from large to small maps; the autoencoder's stride 2 comes last.
const std::vector<Layer> kAutoencoderLayers = {
    {128, 128, 256},          {256, 128, 256},         {256, 256, 256, true},
    {128, 256, 128},          {256, 256, 128},         {512, 256, 128},
    {512, 512, 128, true},    {256, 512, 64},          {512, 512, 64},
    {512, 512, 64, true},     {512, 512, 32},          {128, 128, 128, false, 2},
    {256, 256, 64, false, 2}, {512, 512, 32, false, 2}};
const std::vector<Layer> kUNetLayers = {
    {192, 192, 32}, {384, 192, 32}, {576, 192, 32}, {384, 384, 32, true}, {192, 384, 16},
    {384, 384, 16}, {576, 384, 16}, {768, 384, 16}, {384, 384, 16, true}, {384, 384, 8},
    {768, 384, 8},  {384, 768, 4},  {768, 768, 4},  {1536, 768, 4},       {1536, 768, 2}};

template <typename Run>
double milliseconds(const Run& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// `side` of the map, before any upsampling; numbers about as large as `scale`.
struct Problem {
  Problem(const Layer& layer, double scale)
      : side(layer.upsample ? layer.side / 2 : layer.side * layer.stride),
        x((scale * at::randn({1, layer.channels, side, side}))
              .contiguous(at::MemoryFormat::ChannelsLast)),
        weight((at::randn({layer.out_channels, layer.channels, 3, 3}) /
                std::sqrt(9.0 * static_cast<double>(layer.channels)))
                   .contiguous(at::MemoryFormat::ChannelsLast)),
        bias(scale * at::randn({layer.out_channels})) {}

  std::int64_t side;
  at::Tensor x, weight, bias;
};

at::Tensor plain(const Layer& layer, const Problem& p, at::ScalarType type) {
  const at::Tensor x = p.x.to(type);
  return at::conv2d(layer.upsample ? at::upsample_nearest2d(x, {layer.side, layer.side}) : x,
                    p.weight.to(type), p.bias.to(type), layer.stride, 1);
}

/// LibTorch's in bfloat16, with nothing to convert or to lay out on the way. c10::Error where the
/// processor has no such products.
class Bfloat16Convolution {
 public:
  Bfloat16Convolution(const Layer& layer, const Problem& p)
      : layer_(layer), x_(p.x.to(at::kBFloat16)), bias_(p.bias.to(at::kBFloat16)) {
    const std::vector<std::int64_t> input{1, layer.channels, layer.side * layer.stride,
                                          layer.side * layer.stride};
    weight_ = at::mkldnn_reorder_conv2d_weight(p.weight.to(at::kBFloat16).to_mkldnn(), 1,
                                               layer.stride, 1, 1, input);
  }

  at::Tensor forward() const {
    const at::Tensor x =
        layer_.upsample ? at::upsample_nearest2d(x_, {layer_.side, layer_.side}) : x_;
    return at::mkldnn_convolution(x, weight_, bias_, 1, layer_.stride, 1, 1);
  }

 private:
  Layer layer_;
  at::Tensor x_, weight_, bias_;
};

/// Having run once; nothing where the processor cannot.
std::optional<Bfloat16Convolution> with_bfloat16(const Layer& layer, const Problem& problem) {
  try {
    std::optional<Bfloat16Convolution> convolution(std::in_place, layer, problem);
    convolution->forward();
    return convolution;
  } catch (const c10::Error&) {
    return std::nullopt;
  }
}

struct Times {
  double plain, bfloat16, packed;  // 0 where it did not run
};

void print(const Layer& layer, const Times& times, double error, const std::string& form) {
  const char* kind = layer.upsample     ? " upsampled "
                     : layer.stride > 1 ? " stride 2  "
                                        : "           ";
  std::cout << std::setw(4) << layer.channels << " -> " << std::setw(3) << layer.out_channels
            << " at " << std::setw(3) << layer.side << kind << std::fixed << std::setprecision(2)
            << std::setw(8) << times.plain << " ms " << std::setw(8) << times.bfloat16 << " ms "
            << std::setw(8) << times.packed << " ms " << std::setw(6) << times.plain / times.packed
            << "x  " << std::scientific << std::setprecision(1) << error << "  " << form << "\n"
            << std::flush;
}

/// The median of each over several rounds, in which all run in turn.
std::vector<double> medians_in_turns(const std::vector<std::function<void()>>& runs) {
  constexpr int kRounds = 11;
  std::vector<std::vector<double>> times(runs.size());
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      times[i].push_back(milliseconds(runs[i]));
    }
  }
  std::vector<double> medians;
  std::transform(times.begin(), times.end(), std::back_inserter(medians), median);
  return medians;
}

void compare(const Layer& layer, double scale = 1) {
  const Problem problem(layer, scale);
  const auto run_plain = [&] { plain(layer, problem, at::kFloat); };
  const auto bfloat16 = with_bfloat16(layer, problem);
  const auto run_bfloat16 = [&] { bfloat16 ? bfloat16->forward() : at::Tensor(); };
  const leaf::ops::PackedConv2d packed(
      {.weight = problem.weight, .bias = problem.bias, .stride = layer.stride, .padding = 1});
  at::Tensor ours;
  const auto run_packed = [&] { ours = packed.forward(problem.x, {.upsample = layer.upsample}); };
  run_packed();
  run_plain();
  const auto times = medians_in_turns({run_plain, run_bfloat16, run_packed});
  const at::Tensor exact = plain(layer, problem, at::kDouble);
  const double error = ((ours.to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
  print(layer, {.plain = times[0], .bfloat16 = times[1], .packed = times[2]}, error, packed.form());
}

}  // namespace

int main(int argc, char** argv) {
  leaf::install_pooling_allocator();
  const c10::InferenceMode inference;
  if (argc > 1) {
    at::set_num_threads(std::atoi(argv[1]));
  }
  std::cout
      << "channels and side of the result   LibTorch     bfloat16      packed   gain  error  form ("
      << at::get_num_threads() << " threads)\n";
  for (const auto* layers : {&kAutoencoderLayers, &kUNetLayers}) {
    for (const Layer& layer : *layers) {
      compare(layer);
    }
  }
  std::cout << "denormal numbers, which the processor may treat apart:\n";
  constexpr double kDenormal = 1e-39;
  compare(kAutoencoderLayers[4], kDenormal);
  return 0;
}
