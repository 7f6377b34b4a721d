#include "leaf/io/known_weights.h"

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "leaf/core/strings.h"
#include "leaf/io/weights.h"
#include "names/format.h"
#include "weight_file.h"

namespace leaf::io {
namespace names {

KnownWeights sort_into(const std::vector<Network>& networks, const TensorMap& tensors,
                       const Reading& reading) {
  KnownWeights known;
  TensorMap rest = tensors;
  for (const Network& network : networks) {
    Renamed renamed = to_ours(rest, network.rules, reading.source);
    if (!renamed.tensors.empty()) {
      known.parts.emplace(network.part, std::move(renamed.tensors));
    }
    known.unused.insert(known.unused.end(), renamed.dropped.begin(), renamed.dropped.end());
    rest = std::move(renamed.rest);
  }
  for (const auto& [name, tensor] : rest) {
    known.unused.push_back(name);
  }
  return known;
}

}  // namespace names

namespace {

/// Prefixes that wrap a network's names.
constexpr const char* kWrappers[] = {"module.",
                                     "state_dict.",
                                     "model.",
                                     "teacher.backbone.",
                                     "backbone.",
                                     "dinov2.",
                                     "dinov2_with_registers.",
                                     "vit.",
                                     "vision_model.",
                                     "visual.",
                                     "first_stage_model.",
                                     "vae."};
constexpr int kMostWrappers = 3;

std::vector<names::Format> all_formats() {
  std::vector<names::Format> formats;
  for (const auto& some : {names::compvis_formats(), names::diffusers_autoencoder_formats(),
                           names::tiny_autoencoder_formats(), names::vision_transformer_formats(),
                           names::hugging_face_formats(), names::clip_formats()}) {
    formats.insert(formats.end(), some.begin(), some.end());
  }
  return formats;
}

bool fits(const names::Format& format, const TensorMap& tensors) {
  return std::all_of(format.needs.begin(), format.needs.end(),
                     [&](const std::string& name) { return tensors.contains(name); });
}

/// Makes the unused names of what lies below `prefix` those of the whole file.
void complete_unused(std::vector<std::string>& unused, const TensorMap& all,
                     const std::string& prefix) {
  for (std::string& name : unused) {
    name.insert(0, prefix);
  }
  for (const auto& [name, tensor] : all) {
    if (!name.starts_with(prefix)) {
      unused.push_back(name);
    }
  }
}

std::optional<KnownWeights> search(const std::vector<names::Format>& formats,
                                   const TensorMap& tensors, const names::Reading& reading,
                                   int wrappers_left) {
  for (const names::Format& format : formats) {
    if (fits(format, tensors)) {
      KnownWeights known = format.read(tensors, reading);
      known.format = format.name;
      return known;
    }
  }
  for (const std::string prefix : kWrappers) {
    const TensorMap inner = wrappers_left > 0 ? strip_prefix(tensors, prefix) : TensorMap{};
    if (inner.empty()) {
      continue;
    }
    if (auto known = search(formats, inner, reading, wrappers_left - 1)) {
      complete_unused(known->unused, tensors, prefix);
      return known;
    }
  }
  return std::nullopt;
}

[[noreturn]] void unknown_weights(const TensorMap& tensors, const std::string& source) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> shown;
  for (const auto& [name, tensor] : tensors) {
    if (shown.size() == kShown) {
      shown.emplace_back("...");
      break;
    }
    shown.push_back(printable(name));
  }
  bad_weights(source,
              str("its ", tensors.size(), " tensors (", join(shown, ", "),
                  ") are no network known here: an autoencoder (CompVis, diffusers, TAESD), a U-Net"
                  " (CompVis, LEAF, SDSeg) or a teacher (DINOv2, timm, CLIP, MAE)"));
}

}  // namespace

KnownWeights recognise(const TensorMap& tensors, const std::string& source,
                       const RecogniseOptions& options) {
  std::optional<KnownWeights> known;
  try {
    known = search(all_formats(), tensors, {source, options}, kMostWrappers);
  } catch (const c10::Error& error) {  // tensors of types that LibTorch cannot join or divide
    bad_weights(source, str("its tensors cannot be converted (",
                            printable(error.what_without_backtrace()), ")"));
  }
  if (!known) {
    unknown_weights(tensors, source);
  }
  std::sort(known->unused.begin(), known->unused.end());
  return *std::move(known);
}

TensorMap to_diffusers_autoencoder(const TensorMap& tensors) {
  const std::int64_t last = names::largest_number(tensors, "decoder.up.{i}.*", "i");
  return names::to_theirs(tensors, names::diffusers_autoencoder_rules(last));
}

}  // namespace leaf::io
