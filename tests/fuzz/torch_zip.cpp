#include "io/torch_zip.h"

#include "check_tensors.h"
#include "leaf/core/error.h"
#include "memory_file.h"
#include "targets.h"

void leaf::fuzz::torch_zip(std::string_view bytes) {
  const MemoryFile file(bytes);
  try {
    check_tensors(io::read_torch_zip(file.path()));
  } catch (const WeightsError&) {
  }
}
