#include <ATen/ATen.h>

#include <fstream>

#include "check_tensors.h"
#include "leaf/core/error.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "support/temporary_folder.h"
#include "targets.h"

namespace leaf::fuzz {
namespace {

/// A folder with the shards a.safetensors and b.safetensors.
class ShardFolder {
 public:
  ShardFolder() {
    io::write_safetensors(folder_ / "a.safetensors", {{"x", at::ones({2})}});
    io::write_safetensors(folder_ / "b.safetensors", {{"y", at::ones({3})}});
  }

  std::filesystem::path with_index(std::string_view bytes) const {
    auto path = folder_ / "model.safetensors.index.json";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

 private:
  test::TemporaryFolder folder_;
};

}  // namespace

void shard_index(std::string_view bytes) {
  static const ShardFolder folder;
  try {
    check_tensors(io::read_weights(folder.with_index(bytes)));
  } catch (const WeightsError&) {
  }
}

}  // namespace leaf::fuzz
