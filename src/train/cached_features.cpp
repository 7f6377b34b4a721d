#include "cached_features.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "leaf/core/device.h"
#include "leaf/core/log.h"

namespace leaf {
namespace {

/// As far as both are there: what is not wanted any more is not computed either.
bool same(const at::Tensor& a, const at::Tensor& b) {
  return !a.defined() || !b.defined() || (a.scalar_type() == b.scalar_type() && at::equal(a, b));
}

bool same(const Features& a, const Features& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const at::Tensor& x, const at::Tensor& y) { return same(x, y); });
}

template <typename Change>
Features changed(Features features, const Change& change) {
  for (at::Tensor& tensor : features) {
    if (tensor.defined()) {
      tensor = change(tensor);
    }
  }
  return features;
}

/// As a store wants them: on the CPU, in memory of their own.
Features stored_form(const Features& row) {
  return changed(row, [](const at::Tensor& t) { return t.to(at::kCPU).contiguous().clone(); });
}

Features row_of(const Features& batch, std::int64_t i) {
  return changed(batch, [&](const at::Tensor& t) { return t[i]; });
}

}  // namespace

/// A sample of the batch.
struct CachedFeatures::Row {
  FeatureKey key{};
  std::optional<Features> kept;      ///< what the store has
  std::optional<Features> computed;  ///< where that is missing or not proven; any device

  const Features& features() const { return computed ? *computed : *kept; }
};

CachedFeatures::CachedFeatures(Networks networks, std::unique_ptr<FeatureStore> store,
                               std::int64_t group)
    : networks_(std::move(networks)), store_(std::move(store)), group_(group) {}

std::int64_t CachedFeatures::group_size(std::int64_t batch_size) {
  constexpr std::int64_t kLargest = 4;
  return std::min(batch_size, kLargest);
}

Features CachedFeatures::of(const at::Tensor& images, const at::Tensor& masks) {
  const at::NoGradGuard no_grad;
  std::vector<Row> rows(static_cast<std::size_t>(images.size(0)));
  for (std::size_t i = 0; store_ && i < rows.size(); ++i) {
    const auto place = static_cast<std::int64_t>(i);
    rows[i].key = feature_key(images[place], masks[place]);
    rows[i].kept = store_->find(rows[i].key);
  }
  compute(images, masks, rows);
  if (store_) {
    keep(rows);
  }
  return stacked(rows);
}

/// On the device of what was computed, where there is any.
Features CachedFeatures::stacked(const std::vector<Row>& rows) {
  at::Device device = at::kCPU;
  for (const Row& row : rows) {
    device = row.computed ? row.computed->front().device() : device;
  }
  Features batch;
  for (std::size_t i = 0; i < rows.front().features().size(); ++i) {
    std::vector<at::Tensor> parts;
    for (const Row& row : rows) {
      const at::Tensor& part = row.features()[i];
      parts.push_back(part.defined() ? to_device(part, device) : part);
    }
    const bool all_have_it = std::all_of(parts.begin(), parts.end(),
                                         [](const at::Tensor& part) { return part.defined(); });
    batch.push_back(all_have_it ? at::stack(parts) : at::Tensor());
  }
  return batch;
}

/// Of the rows that are not there or not to be believed yet.
void CachedFeatures::compute(const at::Tensor& images, const at::Tensor& masks,
                             std::vector<Row>& rows) const {
  std::vector<std::int64_t> wanted;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i].kept || !proven_) {
      wanted.push_back(static_cast<std::int64_t>(i));
    }
  }
  for (std::size_t begin = 0; begin < wanted.size(); begin += static_cast<std::size_t>(group_)) {
    const std::size_t end = std::min(wanted.size(), begin + static_cast<std::size_t>(group_));
    std::vector<std::int64_t> group(wanted.begin() + static_cast<std::ptrdiff_t>(begin),
                                    wanted.begin() + static_cast<std::ptrdiff_t>(end));
    group.resize(static_cast<std::size_t>(group_), group.back());
    const at::Tensor places = at::tensor(group);
    const Features batch = networks_(images.index_select(0, places), masks.index_select(0, places));
    for (std::size_t i = begin; i < end; ++i) {
      rows[static_cast<std::size_t>(wanted[i])].computed =
          row_of(batch, static_cast<std::int64_t>(i - begin));
    }
  }
}

/// Puts what was computed into the store. What that has of other values is dropped first.
void CachedFeatures::keep(const std::vector<Row>& rows) {
  std::vector<std::pair<FeatureKey, Features>> fresh;
  std::size_t right = 0;
  std::size_t wrong = 0;
  for (const Row& row : rows) {
    if (!row.computed || (full_ && !row.kept)) {
      continue;
    }
    fresh.emplace_back(row.key, stored_form(*row.computed));
    if (row.kept) {
      ++(same(*row.kept, fresh.back().second) ? right : wrong);
    }
  }
  if (wrong > 0) {
    log::warn("the feature cache holds other values than the networks give here; started anew");
    store_->start_anew();
    proven_ = false;
    if (std::exchange(full_, false)) {
      return;  // what was computed for no store may lack what one keeps
    }
  }
  proven_ = wrong == 0 && (proven_ || right > 0);
  for (const auto& [key, features] : fresh) {
    full_ = !store_->keep(key, features) || full_;
  }
}

}  // namespace leaf
