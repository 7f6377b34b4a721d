#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "feature_store.h"
#include "hash.h"

namespace leaf {

/// The bytes of a file of features: a header that tells the tensors' forms, then records of one
/// size, each with its key and a checksum.
class FeatureLayout {
 public:
  static constexpr std::string_view kFormat = "leaffea2";
  static constexpr std::int64_t kHeaderBytes = 384;
  static constexpr std::int64_t kKeyBytes = sizeof(FeatureKey);  ///< at the start of a record

  /// Whether a file takes such a sample: at most six tensors of one to three dimensions.
  static bool is_storable(const Features& features);
  /// For samples of this one's form, which must be storable.
  static FeatureLayout of(const Features& features);
  /// What `header`, kHeaderBytes long, tells; none where it is damaged or of another identity.
  static std::optional<FeatureLayout> read(const char* header, const Hash128& identity);

  /// kHeaderBytes of the format, the tensors' forms and what their values follow from.
  std::string header(const Hash128& identity) const;

  bool fits(const Features& features) const;
  std::int64_t record_bytes() const;
  /// Of features that fit.
  std::string record(const FeatureKey& key, const Features& features) const;
  /// What `record` holds; none where it is damaged or of another key.
  std::optional<Features> features(const FeatureKey& key, const char* record) const;
  static FeatureKey key(const char* record);

 private:
  static constexpr std::size_t kMostTensors = 6;
  static constexpr std::size_t kMostDimensions = 3;

  /// Shape and type of a tensor; all 0 for one that is undefined.
  struct Form {
    std::int64_t dimensions = 0;
    std::int64_t sizes[kMostDimensions] = {};
    std::int64_t type = 0;  ///< at::ScalarType

    static Form of(const at::Tensor& tensor);
    bool operator==(const Form&) const = default;
    bool is_defined() const { return dimensions > 0; }
    at::IntArrayRef shape() const { return {sizes, static_cast<std::size_t>(dimensions)}; }
    at::ScalarType scalar_type() const { return static_cast<at::ScalarType>(type); }
    std::int64_t bytes() const;
  };

  /// `checksum` covers what stands before it.
  struct Header {
    Hash128 identity{};
    std::int64_t count = 0;
    Form forms[kMostTensors] = {};
    std::uint64_t checksum = 0;

    std::uint64_t right_checksum() const;
  };
  static_assert(sizeof(Header) <= kHeaderBytes);

  /// Before a record's values; `checksum` is of the key and the values.
  struct RecordHead {
    FeatureKey key{};
    std::uint64_t checksum = 0;
    std::uint64_t unused = 0;
  };

  std::int64_t value_bytes() const;

  std::vector<Form> forms_;
};

}  // namespace leaf
