#include "feature_layout.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace leaf {
namespace {

constexpr std::int64_t kAlignment = 64;  // of records

std::uint64_t checksum_of(const FeatureKey& key, std::string_view values) {
  return hash64(values) ^ hash64({reinterpret_cast<const char*>(key.data()), sizeof(key)});
}

}  // namespace

FeatureLayout::Form FeatureLayout::Form::of(const at::Tensor& tensor) {
  Form form;
  if (tensor.defined()) {
    form.dimensions = tensor.dim();
    std::copy_n(tensor.sizes().begin(), tensor.dim(), form.sizes);
    form.type = static_cast<std::int64_t>(tensor.scalar_type());
  }
  return form;
}

std::int64_t FeatureLayout::Form::bytes() const {
  const auto element = static_cast<std::int64_t>(c10::elementSize(scalar_type()));
  return is_defined() ? c10::multiply_integers(shape()) * element : 0;
}

std::uint64_t FeatureLayout::Header::right_checksum() const {
  return hash64({reinterpret_cast<const char*>(this), offsetof(Header, checksum)});
}

bool FeatureLayout::is_storable(const Features& features) {
  return features.size() <= kMostTensors &&
         std::all_of(features.begin(), features.end(), [](const at::Tensor& tensor) {
           return !tensor.defined() ||
                  (tensor.dim() > 0 && tensor.dim() <= static_cast<std::int64_t>(kMostDimensions));
         });
}

FeatureLayout FeatureLayout::of(const Features& features) {
  FeatureLayout layout;
  for (const at::Tensor& tensor : features) {
    layout.forms_.push_back(Form::of(tensor));
  }
  return layout;
}

std::optional<FeatureLayout> FeatureLayout::read(const char* header, const Hash128& identity) {
  Header found;
  std::memcpy(&found, header, sizeof(found));
  const bool whole = found.checksum == found.right_checksum() && found.count >= 0 &&
                     found.count <= static_cast<std::int64_t>(kMostTensors);
  if (!whole || found.identity != identity) {
    return std::nullopt;
  }
  FeatureLayout layout;
  layout.forms_.assign(found.forms, found.forms + found.count);
  return layout;
}

std::string FeatureLayout::header(const Hash128& identity) const {
  Header header{.identity = identity, .count = static_cast<std::int64_t>(forms_.size())};
  std::copy(forms_.begin(), forms_.end(), header.forms);
  header.checksum = header.right_checksum();
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  bytes.resize(kHeaderBytes, '\0');
  return bytes;
}

bool FeatureLayout::fits(const Features& features) const {
  return is_storable(features) && of(features).forms_ == forms_;
}

std::int64_t FeatureLayout::value_bytes() const {
  std::int64_t bytes = 0;
  for (const Form& form : forms_) {
    bytes += form.bytes();
  }
  return bytes;
}

std::int64_t FeatureLayout::record_bytes() const {
  const auto bytes = static_cast<std::int64_t>(sizeof(RecordHead)) + value_bytes();
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::string FeatureLayout::record(const FeatureKey& key, const Features& features) const {
  std::string record(sizeof(RecordHead), '\0');
  for (const at::Tensor& tensor : features) {
    if (tensor.defined()) {
      record.append(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
    }
  }
  const std::string_view values = std::string_view(record).substr(sizeof(RecordHead));
  const RecordHead head{.key = key, .checksum = checksum_of(key, values)};
  std::memcpy(record.data(), &head, sizeof(head));
  record.resize(static_cast<std::size_t>(record_bytes()), '\0');
  return record;
}

std::optional<Features> FeatureLayout::features(const FeatureKey& key, const char* record) const {
  RecordHead head;
  std::memcpy(&head, record, sizeof(head));
  const char* values = record + sizeof(head);
  const std::string_view all(values, static_cast<std::size_t>(value_bytes()));
  if (head.key != key || head.checksum != checksum_of(key, all)) {
    return std::nullopt;
  }
  Features features;
  for (const Form& form : forms_) {
    if (!form.is_defined()) {
      features.emplace_back();
      continue;
    }
    features.push_back(at::empty(form.shape(), form.scalar_type()));
    std::memcpy(features.back().mutable_data_ptr(), values, features.back().nbytes());
    values += features.back().nbytes();
  }
  return features;
}

FeatureKey FeatureLayout::key(const char* record) {
  FeatureKey key;
  std::memcpy(key.data(), record, sizeof(key));
  return key;
}

}  // namespace leaf
