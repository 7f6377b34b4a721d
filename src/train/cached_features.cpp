#include "cached_features.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "leaf/core/log.h"

namespace leaf {
namespace {

bool same(const at::Tensor& a, const at::Tensor& b) {
  return a.defined() == b.defined() &&
         (!a.defined() || (a.scalar_type() == b.scalar_type() && at::equal(a, b)));
}

at::Tensor cpu_rows(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.to(at::kCPU).contiguous() : tensor;
}

/// As a store wants them: on the CPU.
FrozenFeatures stored_form(const FrozenFeatures& features) {
  return {cpu_rows(features.mask_latents), cpu_rows(features.teacher_tokens)};
}

FrozenFeatures stacked(const std::vector<FrozenFeatures>& samples) {
  std::vector<at::Tensor> latents;
  std::vector<at::Tensor> tokens;
  for (const auto& sample : samples) {
    latents.push_back(sample.mask_latents);
    if (sample.teacher_tokens.defined()) {
      tokens.push_back(sample.teacher_tokens);
    }
  }
  return {at::stack(latents), tokens.empty() ? at::Tensor() : at::stack(tokens)};
}

}  // namespace

CachedFeatures::CachedFeatures(Networks networks, std::unique_ptr<FeatureStore> store)
    : networks_(std::move(networks)), store_(std::move(store)) {}

FrozenFeatures CachedFeatures::of(const at::Tensor& images, const at::Tensor& masks) {
  const at::NoGradGuard no_grad;
  std::vector<FrozenFeatures> samples;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const at::Tensor image = images.narrow(0, i, 1);
    const at::Tensor mask = masks.narrow(0, i, 1);
    samples.push_back(store_ ? kept_or_computed(image, mask) : computed(image, mask));
  }
  return stacked(samples);
}

FrozenFeatures CachedFeatures::computed(const at::Tensor& image, const at::Tensor& mask) const {
  const FrozenFeatures batch = networks_(image, mask);
  const at::Tensor& tokens = batch.teacher_tokens;
  return {batch.mask_latents[0], tokens.defined() ? tokens[0] : tokens};
}

FrozenFeatures CachedFeatures::kept_or_computed(const at::Tensor& image, const at::Tensor& mask) {
  const FeatureKey key = feature_key(image, mask);
  const std::optional<FrozenFeatures> kept = store_->find(key);
  if (kept && proven_) {
    return *kept;
  }
  const FrozenFeatures fresh = computed(image, mask);
  const FrozenFeatures to_keep = stored_form(fresh);
  if (kept) {
    proven_ = same(to_keep.mask_latents, kept->mask_latents) &&
              same(to_keep.teacher_tokens, kept->teacher_tokens);
    if (!proven_) {
      log::warn("the feature cache holds other values than the networks give here; started anew");
      store_->start_anew();
    }
  }
  store_->keep(key, to_keep);
  return fresh;
}

}  // namespace leaf
