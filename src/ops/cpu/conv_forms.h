#pragma once

#include <cstddef>

#include "conv_kernels.h"
#include "minimal_filter.h"

// What differs between the forms of a convolution, as constants.
namespace leaf::ops::cpu {

template <ConvForm kForm>
struct Form;

template <int kOutputs>
struct PlainForm {
  using Filter = MinimalFilter<kOutputs, 3>;
  static constexpr int kPhases = 1;  // in each direction
  static constexpr int kScale = 1;
};

template <>
struct Form<ConvForm::kF4x4> : PlainForm<4> {};
template <>
struct Form<ConvForm::kF6x6> : PlainForm<6> {};

template <>
struct Form<ConvForm::kStride2> {
  using Filter = StridedFilter<3>;
  static constexpr int kPhases = 1;
  static constexpr int kScale = 1;
};

/// Nothing is transformed: one product for one output.
template <>
struct Form<ConvForm::kDirect> {
  struct Filter {
    static constexpr int kOut = 1;
    static constexpr int kInputs = 1;
  };
  static constexpr int kPhases = 1;
  static constexpr int kScale = 1;
};

/// Rows 2i and 2i + 1 of the upsampled map's convolution are 2-tap filters of rows (i-1, i) and
/// (i, i+1): (w0, w1 + w2) and (w0 + w1, w2). Phase 1 of a tile therefore begins one row earlier.
template <>
struct Form<ConvForm::kUpsample> {
  using Filter = MinimalFilter<5, 2>;
  static constexpr int kPhases = 2;
  static constexpr int kScale = 2;
};

/// run(Form<form>{})
template <class Run>
auto with_form(ConvForm form, const Run& run) {
  switch (form) {
    case ConvForm::kF4x4:
      return run(Form<ConvForm::kF4x4>{});
    case ConvForm::kF6x6:
      return run(Form<ConvForm::kF6x6>{});
    case ConvForm::kStride2:
      return run(Form<ConvForm::kStride2>{});
    case ConvForm::kUpsample:
      return run(Form<ConvForm::kUpsample>{});
    case ConvForm::kDirect:
      break;
  }
  return run(Form<ConvForm::kDirect>{});
}

}  // namespace leaf::ops::cpu
