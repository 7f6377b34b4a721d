#include <ATen/ATen.h>

#include <iostream>
#include <string_view>

#include "leaf/leaf.h"

// consumer MODEL IMAGE MASK: segments an image file and says how much of it is foreground.
int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: consumer MODEL IMAGE MASK\n";
    return 2;
  }
  leaf::log::set_sink([](leaf::log::Severity, std::string_view message) {
    std::cout << "log: " << message << '\n';
  });
  std::cout << "leaf " << leaf::version() << '\n';
  leaf::log::info("one line");
  try {
    const auto segmenter = leaf::Segmenter::load(argv[1]);
    const leaf::Segmentation result = leaf::segment_file(segmenter, argv[2]);
    leaf::data::write_png(argv[3], result.mask);
    const double share = result.mask.ne(0).to(at::kDouble).mean().item<double>();
    std::cout << "foreground " << share << '\n';
    return 0;
  } catch (const leaf::Error& failure) {
    std::cout << "failed: " << failure.what() << '\n';
    return 1;
  }
}
