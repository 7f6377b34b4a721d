// How long read_image takes for PNG and JPEG, against one call of OpenCV's imdecode and its turn to
// RGB, in turns on this machine; and the memory that each needs beyond the file.
//   cmake --build build/cpu --target read_pictures && build/cpu/bin/read_pictures [ROUNDS]
#include <ATen/ATen.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "leaf/core/files.h"
#include "leaf/data/image_io.h"

namespace {

namespace fs = std::filesystem;
using leaf::data::read_image;

at::Tensor by_opencv(const fs::path& path) {
  const std::string bytes = leaf::read_file(path);
  const cv::Mat raw(1, static_cast<int>(bytes.size()), CV_8U, const_cast<char*>(bytes.data()));
  const cv::Mat bgr = cv::imdecode(raw, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  at::Tensor rgb = at::empty({bgr.rows, bgr.cols, 3}, at::kByte);
  cv::Mat target(bgr.rows, bgr.cols, CV_8UC3, rgb.data_ptr());
  cv::cvtColor(bgr, target, cv::COLOR_BGR2RGB);
  return rgb;
}

/// Soft shapes with a little noise, as a camera has it: uint8 [height,width,channels].
at::Tensor photograph(std::int64_t height, std::int64_t width, std::int64_t channels) {
  at::manual_seed(1);
  const at::Tensor y = at::linspace(0, 40, height).view({height, 1, 1});
  const at::Tensor x = at::linspace(0, 50, width).view({1, width, 1});
  const at::Tensor c = at::arange(channels, at::kFloat);
  const at::Tensor shapes = at::sin(y + 0.3 * c) * at::cos(x - c) * 90 + 128;
  return (shapes + at::randn({height, width, channels}) * 3).clamp(0, 255).to(at::kByte);
}

double milliseconds(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Peak memory of a process of its own that does this, in MB.
double peak_megabytes(const std::function<void()>& run) {
  const pid_t child = ::fork();
  if (child == 0) {
    run();
    std::_Exit(0);
  }
  rusage usage{};
  int status = 0;
  ::wait4(child, &status, 0, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1e3;
}

void compare(const fs::path& file, int rounds) {
  const double base = peak_megabytes([] {});
  const double memory = peak_megabytes([&] { read_image(file); }) - base;
  const double theirs = peak_megabytes([&] { by_opencv(file); }) - base;
  std::vector<double> ours;
  std::vector<double> opencv;
  for (int i = 0; i <= rounds; ++i) {
    const double a = milliseconds([&] { read_image(file); });
    const double b = milliseconds([&] { by_opencv(file); });
    if (i > 0) {  // the first warms up
      ours.push_back(a);
      opencv.push_back(b);
    }
  }
  std::cout << std::setw(24) << file.filename().string() << std::fixed << std::setprecision(2)
            << std::setw(10) << median(ours) << std::setw(10) << median(opencv) << std::setw(8)
            << median(ours) / median(opencv) << std::setprecision(0) << std::setw(8) << memory
            << std::setw(8) << theirs << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 7;
  cv::setNumThreads(1);
  const fs::path folder = fs::temp_directory_path() / "leaf-read-pictures";
  std::cout << "                    file   leaf ms OpenCV ms   ratio leaf MB OpenCV MB\n";
  for (const auto& [height, width] : {std::pair{512, 512}, std::pair{3000, 4000}}) {
    for (const int channels : {1, 3}) {
      at::Tensor pixels = photograph(height, width, channels);
      if (channels == 1) {
        pixels = pixels.squeeze(2);
      }
      const std::string name =
          std::to_string(width) + "x" + std::to_string(height) + (channels == 1 ? "-grey" : "-rgb");
      leaf::data::write_png(folder / (name + ".png"), pixels);
      leaf::data::write_jpeg(folder / (name + ".jpg"), pixels);
      for (const char* extension : {".png", ".jpg"}) {
        compare(folder / (name + extension), height > 1000 ? rounds : 10 * rounds);
      }
    }
  }
  fs::remove_all(folder);
}
