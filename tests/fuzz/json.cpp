#include "io/json_util.h"
#include "leaf/core/error.h"
#include "targets.h"

void leaf::fuzz::json(std::string_view bytes) {
  try {
    io::parse_json_object(bytes, "input");
  } catch (const WeightsError&) {
  }
}
