#include "io/pickle.h"

#include "io/checkpoint_names.h"
#include "leaf/core/error.h"
#include "targets.h"

void leaf::fuzz::pickle(std::string_view bytes) {
  try {
    io::name_tensors(io::pickle::parse(bytes, "input"), "input");
  } catch (const WeightsError&) {
  }
}
