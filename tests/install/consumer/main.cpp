#include <ATen/ATen.h>

#include <iostream>

#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/data/image_io.h"
#include "leaf/pipeline/segment_file.h"
#include "leaf/pipeline/segmenter.h"

// consumer MODEL IMAGE MASK: segments an image file and says how much of it is foreground.
int main(int argc, char** argv) {
  std::cout << "leaf " << leaf::version() << '\n';
  if (argc != 4) {
    std::cerr << "usage: consumer MODEL IMAGE MASK\n";
    return 2;
  }
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
