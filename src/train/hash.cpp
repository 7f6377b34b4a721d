#include "hash.h"

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <iomanip>
#include <sstream>

#define XXH_INLINE_ALL  // the functions come with the header: nothing to link
#include <xxhash.h>

#include "leaf/core/strings.h"

namespace leaf {

struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }

Hasher::~Hasher() = default;

void Hasher::add(std::string_view bytes) {
  XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
}

void Hasher::add(const at::Tensor& tensor) {
  const at::Tensor rows = tensor.contiguous().cpu();
  add(std::string_view(static_cast<const char*>(rows.const_data_ptr()), rows.nbytes()));
}

Hash128 Hasher::digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh);
  return {hash.high64, hash.low64};
}

std::uint64_t hash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string weights_hash(const torch::nn::Module& module) {
  Hasher hasher;
  for (const auto& item : module.named_parameters()) {
    hasher.add(leaf::str(item.key(), item.value().sizes()));
    hasher.add(item.value().detach());
  }
  return hex_text(hasher.digest());
}

std::string hex_text(const Hash128& hash) {
  std::ostringstream out;
  for (const std::uint64_t half : hash) {
    out << std::hex << std::setw(16) << std::setfill('0') << half;
  }
  return out.str();
}

}  // namespace leaf
