#include "check_tensors.h"
#include "leaf/core/error.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/safetensors.h"
#include "memory_file.h"
#include "targets.h"

void leaf::fuzz::recognise(std::string_view bytes) {
  const MemoryFile file(bytes);
  try {
    const io::TensorMap tensors = io::read_safetensors(file.path());
    for (const auto& [part, known] : io::recognise(tensors, "input", {.prefer_ema = true}).parts) {
      check_tensors(known);
      if (part == io::WeightPart::kAutoencoder) {
        check_tensors(io::to_diffusers_autoencoder(known));
      }
    }
  } catch (const WeightsError&) {
  }
}
