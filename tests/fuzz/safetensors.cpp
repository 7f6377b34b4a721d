#include "leaf/io/safetensors.h"

#include "check_tensors.h"
#include "leaf/core/error.h"
#include "memory_file.h"
#include "targets.h"

void leaf::fuzz::safetensors(std::string_view bytes) {
  const MemoryFile file(bytes);
  try {
    check_tensors(io::read_safetensors(file.path()));
  } catch (const WeightsError&) {
  }
}
