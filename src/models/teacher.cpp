#include "models/teacher.h"

#include <algorithm>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "models/vision_transformer.h"

namespace leaf::models {

const std::vector<TeacherFamily>& all_teachers() {
  static const std::vector<TeacherFamily> table{
      {vision_transformer_names(), [](const std::string& name) -> std::shared_ptr<Teacher> {
         return std::make_shared<VisionTransformer>(vision_transformer_config(name));
       }}};
  return table;
}

std::shared_ptr<Teacher> make_teacher(const std::string& name) {
  std::vector<std::string> known;
  for (const TeacherFamily& family : all_teachers()) {
    if (std::find(family.names.begin(), family.names.end(), name) != family.names.end()) {
      return family.make(name);
    }
    known.insert(known.end(), family.names.begin(), family.names.end());
  }
  throw ConfigError(str("unknown teacher '", name, "'", did_you_mean(name, known),
                        "; known are none, ", join(known, ", ")));
}

}  // namespace leaf::models
