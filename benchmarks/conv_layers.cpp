// Every kind of large 3x3 convolution in the full-size network (256x256, batch 1): packed, against
// LibTorch's conv2d in channels-last order, in turns on this machine.
//   cmake --build build/cpu --target conv_layers && build/cpu/bin/conv_layers [THREADS]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <vector>

#include "leaf/core/cpu_allocator.h"
#include "leaf/ops/conv2d.h"

namespace {

struct Layer {
  std::int64_t channels;
  std::int64_t out_channels;
  std::int64_t side;      // of the output
  bool upsample = false;  // by 2, before
  std::int64_t stride = 1;
};

// Autoencoder, then U-Net, each from large to small maps.
const std::vector<Layer> kLayers = {
    {128, 128, 256},          {256, 128, 256},         {256, 256, 256, true},
    {128, 256, 128},          {256, 256, 128},         {512, 256, 128},
    {512, 512, 128, true},    {256, 512, 64},          {512, 512, 64},
    {512, 512, 64, true},     {512, 512, 32},          {192, 192, 32},
    {384, 192, 32},           {576, 192, 32},          {384, 384, 32, true},
    {192, 384, 16},           {384, 384, 16},          {576, 384, 16},
    {768, 384, 16},           {384, 384, 16, true},    {128, 128, 128, false, 2},
    {256, 256, 64, false, 2}, {512, 512, 32, false, 2}};

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

void compare(const Layer& layer) {
  constexpr int kRounds = 11;
  const std::int64_t side = layer.upsample ? layer.side / 2 : layer.side * layer.stride;
  const auto last = at::MemoryFormat::ChannelsLast;
  const at::Tensor x = at::randn({1, layer.channels, side, side}).contiguous(last);
  const at::Tensor weight =
      (at::randn({layer.out_channels, layer.channels, 3, 3}) / std::sqrt(9.0 * layer.channels))
          .contiguous(last);
  const at::Tensor bias = at::randn({layer.out_channels});
  const leaf::ops::PackedConv2d packed(
      {.weight = weight, .bias = bias, .stride = layer.stride, .padding = 1});
  at::Tensor ours;
  const auto run_packed = [&] { ours = packed.forward(x, {.upsample = layer.upsample}); };
  const auto plain = [&](const at::Tensor& input, const at::Tensor& w, const at::Tensor& b) {
    return at::conv2d(
        layer.upsample ? at::upsample_nearest2d(input, {layer.side, layer.side}) : input, w, b,
        layer.stride, 1);
  };
  run_packed();
  plain(x, weight, bias);
  std::vector<double> packed_times;
  std::vector<double> plain_times;
  for (int round = 0; round < kRounds; ++round) {
    packed_times.push_back(milliseconds(run_packed));
    plain_times.push_back(milliseconds([&] { plain(x, weight, bias); }));
  }
  const at::Tensor exact = plain(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble));
  const double error = ((ours.to(at::kDouble) - exact).norm() / exact.norm()).item<double>();
  std::cout << std::setw(4) << layer.channels << " -> " << std::setw(3) << layer.out_channels
            << " at " << std::setw(3) << layer.side
            << (layer.upsample     ? " upsampled "
                : layer.stride > 1 ? " stride 2  "
                                   : "           ")
            << std::fixed << std::setprecision(2) << std::setw(8) << median(plain_times) << " ms "
            << std::setw(8) << median(packed_times) << " ms " << std::setw(6)
            << median(plain_times) / median(packed_times) << "x  " << std::scientific
            << std::setprecision(1) << error << "  " << packed.form() << "\n"
            << std::flush;
}

}  // namespace

int main(int argc, char** argv) {
  leaf::install_pooling_allocator();
  const c10::InferenceMode inference;
  if (argc > 1) {
    at::set_num_threads(std::atoi(argv[1]));
  }
  std::cout << "channels and side of the result   LibTorch      packed   gain   error  form ("
            << at::get_num_threads() << " threads)\n";
  for (const Layer& layer : kLayers) {
    compare(layer);
  }
  return 0;
}
