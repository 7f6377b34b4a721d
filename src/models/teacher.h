#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nn/module.h"

namespace leaf::models {

/// A frozen network whose view of an image the U-Net's features are aligned with.
class Teacher : public nn::Layer {
 public:
  /// images [N, 3, H, W] in [0, 1] -> tokens [N, side*side, width()], row-major: one for each place
  /// of a grid of `side` x `side` over the image
  virtual at::Tensor tokens(const at::Tensor& images, std::int64_t side) const = 0;
  /// Numbers in a token.
  virtual std::int64_t width() const = 0;
};

/// A family of teachers: the names that `alignment.teacher` knows, and what makes one of them, its
/// parameters allocated but not initialised.
struct TeacherFamily {
  std::vector<std::string> names;
  std::function<std::shared_ptr<Teacher>(const std::string& name)> make;
};

/// The table of all teachers.
const std::vector<TeacherFamily>& all_teachers();

/// The teacher of that name; ConfigError lists the known ones.
std::shared_ptr<Teacher> make_teacher(const std::string& name);

}  // namespace leaf::models
