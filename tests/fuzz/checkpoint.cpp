#include "train/checkpoint.h"

#include <ATen/ATen.h>

#include <fstream>

#include "leaf/core/error.h"
#include "support/temporary_folder.h"
#include "targets.h"

void leaf::fuzz::checkpoint(std::string_view bytes) {
  static const test::TemporaryFolder folder;
  static const bool written = [] {
    Checkpoint valid;
    valid.step = 5;
    valid.weights["a"] = at::ones({1});
    valid.optimizer["b"] = at::ones({1});
    write_checkpoint(folder.path(), valid, 1);
    return true;
  }();
  static_cast<void>(written);
  std::ofstream(folder / "step-0000005/state.json", std::ios::binary) << bytes;
  try {
    read_checkpoint(folder / "step-0000005");
  } catch (const WeightsError&) {
  }
}
