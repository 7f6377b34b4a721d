#pragma once

#include <array>
#include <cstddef>

namespace leaf::ops::cpu {

template <int kRows, int kColumns>
using Matrix = std::array<std::array<double, kColumns>, kRows>;

template <std::size_t kRows, std::size_t kColumns>
constexpr auto transposed(const std::array<std::array<double, kColumns>, kRows>& matrix) {
  std::array<std::array<double, kRows>, kColumns> result{};
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < kColumns; ++j) {
      result[j][i] = matrix[i][j];
    }
  }
  return result;
}

/// The matrices of Winograd's minimal filtering F(m, r) by Toom and Cook: m outputs of an r-tap
/// filter (a correlation) from n = m + r - 1 inputs with n multiplications,
///   y = A^T [(G g) * (B^T d)],
/// at the points 0, 1, -1, 2, -2, 1/2, -1/2, ... and infinity, the last. Points come in pairs +p,
/// -p whose rows of B^T differ in the sign of their odd entries alone; transforms exploit that.
template <int kOutputs, int kTaps>
struct MinimalFilter {
  static constexpr int kOut = kOutputs;
  static constexpr int kInputs = kOutputs + kTaps - 1;
  static constexpr int kFinite = kInputs - 1;
  static constexpr int kPairs = (kFinite - 1) / 2;
  static constexpr int kStride = 1;
  static_assert(kInputs % 2 == 0 && kInputs <= 8, "0, up to three pairs, infinity");

  static constexpr double point(int j) {
    constexpr std::array<double, 7> kPoints{0, 1, -1, 2, -2, 0.5, -0.5};
    return kPoints.at(static_cast<std::size_t>(j));
  }

  /// B^T: row j holds the coefficients of prod_{l != j} (x - p_l), ascending; the last row those
  /// of the product over all finite points.
  struct Input {
    static constexpr Matrix<kInputs, kInputs> kEntries = [] {
      Matrix<kInputs, kInputs> rows{};
      for (int j = 0; j < kInputs; ++j) {
        auto& row = rows[j];
        row[0] = 1;
        for (int l = 0; l < kFinite; ++l) {
          if (l == j) {
            continue;
          }
          for (int k = kInputs - 1; k > 0; --k) {
            row[k] = row[k - 1] - point(l) * row[k];
          }
          row[0] *= -point(l);
        }
      }
      return rows;
    }();
  };

  /// G: row j evaluates the filter at p_j, divided by prod_{l != j} (p_j - p_l).
  struct Taps {
    static constexpr Matrix<kInputs, kTaps> kEntries = [] {
      Matrix<kInputs, kTaps> rows{};
      for (int j = 0; j < kFinite; ++j) {
        double value = 1;
        for (int l = 0; l < kFinite; ++l) {
          value /= l == j ? 1 : point(j) - point(l);
        }
        for (int k = 0; k < kTaps; ++k) {
          rows[j][k] = value;
          value *= point(j);
        }
      }
      rows[kFinite][kTaps - 1] = 1;
      return rows;
    }();
  };

  /// G^T
  struct TapsTransposed {
    static constexpr Matrix<kTaps, kInputs> kEntries = transposed(Taps::kEntries);
  };

  /// A^T but for the points 0 and infinity, which add to the first and the last output alone: row i
  /// holds p^i of each pair's positive point. Even rows take the pairs' sums, odd ones differences.
  struct PairPowers {
    static constexpr Matrix<kOutputs, kPairs> kEntries = [] {
      Matrix<kOutputs, kPairs> rows{};
      for (int pair = 0; pair < kPairs; ++pair) {
        double value = 1;
        for (int i = 0; i < kOutputs; ++i) {
          rows[i][pair] = value;
          value *= point(1 + 2 * pair);
        }
      }
      return rows;
    }();
  };

  /// Its transpose: a row of A for each pair, of which even and odd entries are taken apart.
  struct PointPowers {
    static constexpr Matrix<kPairs, kOutputs> kEntries = transposed(PairPowers::kEntries);
  };
};

/// A 3-tap filter that moves two values at a time, m outputs from 2m + 1 inputs: the even inputs
/// meet the outer taps, a 2-tap filter of stride 1, and the odd ones the middle tap. Transformed
/// values are those of the even inputs, then the odd inputs as they are.
template <int kOutputs>
struct StridedFilter {
  using Even = MinimalFilter<kOutputs, 2>;
  static constexpr int kOut = kOutputs;
  static constexpr int kInputs = Even::kInputs + kOutputs;
  static constexpr int kStride = 2;
};

}  // namespace leaf::ops::cpu
