#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace leaf::report {

/// What a model costs and what it is worth.
struct ComparedModel {
  std::string name;
  double gmac = 0;              ///< billions of multiplications and additions an image
  std::int64_t parameters = 0;  ///< that inference needs
  double milliseconds = 0;      ///< an image, the median
  double times_as_fast = 1;     ///< as the first model in the calls made in turns with it
  double dice = 0;              ///< mean over the images, against the truth
  double agreement = 0;         ///< mean Dice against the first model's masks
};

/// Models on the same images; the first is what the others are compared with.
struct ModelComparison {
  std::string title;
  std::vector<ComparedModel> models;
};

/// The comparison as a Markdown table.
std::string model_table(const ModelComparison& comparison);

/// Writes models.md, models.csv (every digit) and models.svg (Dice over milliseconds, these on a
/// logarithmic axis). Each atomic; the content follows from the comparison alone.
void write_model_comparison(const std::filesystem::path& folder, const ModelComparison& comparison);

}  // namespace leaf::report
