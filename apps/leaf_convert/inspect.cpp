#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "common/exit_code.h"
#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/folders.h"
#include "leaf/pipeline/model.h"
#include "leaf_convert/commands.h"
#include "leaf_convert/tensor_tree.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

constexpr int kDepth = 2;

struct InspectArguments {
  fs::path path;
  int depth = kDepth;
};

void print_tensors(const io::TensorMap& tensors, int depth) {
  print_tree(std::cout, tensors, depth);
  double bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    bytes += static_cast<double>(tensor.nbytes());
  }
  std::cout << "total: " << size_text(tensors) << ", " << bytes_text(bytes) << '\n';
}

/// What the names say the tensors are.
void print_kind(const io::TensorMap& tensors, const fs::path& path) {
  try {
    const io::KnownWeights known = io::recognise(tensors, path.string());
    std::cout << "kind: " << known.format << '\n';
    for (const auto& [part, found] : known.parts) {
      std::cout << "  " << enum_text(part) << ": " << size_text(found) << '\n';
    }
    if (known.scaling_factor) {
      std::cout << "  latents are multiplied by " << *known.scaling_factor << '\n';
    }
    if (!known.unused.empty()) {
      std::cout << "  in none of our networks: " << count_text(known.unused.size(), "tensor")
                << '\n';
    }
  } catch (const WeightsError&) {
    std::cout << "kind: unknown\n";
  }
}

std::string kind_of(const models::AutoencoderConfig& config) {
  if (config.type == models::AutoencoderType::kKl) {
    return enum_text(config.type);
  }
  return leaf::str(enum_text(config.variant), " of widths ", c10::IntArrayRef(config.widths));
}

void print_description(const ModelDescription& d) {
  std::cout << "autoencoder: " << kind_of(d.autoencoder) << ", " << d.autoencoder.latent_channels
            << " latent channels, downsampling " << models::downsampling(d.autoencoder) << '\n'
            << (d.decoder ? str("decoder: ", kind_of(*d.decoder), '\n') : "")
            << "unet: model_channels " << d.unet.model_channels << ", channel_mult "
            << leaf::str(c10::IntArrayRef(d.unet.channel_mult)) << ", num_res_blocks "
            << d.unet.num_res_blocks << '\n'
            << "scheduler: " << enum_text(d.scheduler.prediction_type) << ", "
            << enum_text(d.scheduler.beta_schedule) << ", " << d.scheduler.num_train_timesteps
            << " timesteps\n"
            << "preprocessing: resolution " << d.preprocessing.resolution << ", intensity "
            << data::intensity_text(d.preprocessing.intensity) << ", threshold "
            << d.preprocessing.threshold << ", classes "
            << escaped(join(data::class_items(d.preprocessing.classes), ", "))
            << (d.preprocessing.num_inference_steps > 0
                    ? str(", num_inference_steps ", d.preprocessing.num_inference_steps)
                    : "")
            << (d.preprocessing.last_timestep_alone ? ", trained at the last timestep alone" : "")
            << '\n';
  if (d.distilled_from) {
    std::cout << "distilled from: " << escaped(d.distilled_from->model) << ", SHA-256 "
              << d.distilled_from->sha256 << '\n';
  }
}

/// A folder of parts, which need not make up a model that leaf_infer takes.
void print_parts(const fs::path& folder, int depth) {
  try {
    print_description(load_description(folder));
  } catch (const WeightsError& reason) {
    std::cout << "not a model for inference: " << escaped(plain_message(reason)) << '\n';
  }
  std::int64_t total = 0;
  for (const char* part : {"vae", "latent_encoder", "unet", "unet_ema", "decoder"}) {
    if (fs::is_directory(folder / part)) {
      const io::TensorMap tensors = io::read_weights(folder / part);
      std::cout << "\n" << part << '\n';
      print_tensors(tensors, depth);
      print_kind(tensors, folder / part);
      total += io::parameter_count(tensors);
    }
  }
  std::cout << "\nall parts: " << total << " parameters" << std::endl;
}

int run(const InspectArguments& o) {
  if (const auto folder = find_folder(o.path, is_parts_folder)) {
    print_parts(*folder, o.depth);
  } else {
    const io::TensorMap tensors = io::read_weights(o.path);
    print_tensors(tensors, o.depth);
    print_kind(tensors, o.path);
    std::cout << std::flush;
  }
  return kExitSuccess;
}

}  // namespace

Command add_inspect(CLI::App& app) {
  auto* command = app.add_subcommand(
      "inspect",
      "The tensors of a weight file, a folder with one, a model folder or a run folder, as a tree "
      "of names, and what they are");
  const auto o = std::make_shared<InspectArguments>();
  command->add_option("path", o->path, "File or folder")->required();
  command->add_option("--depth", o->depth, "Levels of the tree; 0 shows every tensor")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  return {command, [o] { return run(*o); }};
}

}  // namespace leaf::apps
