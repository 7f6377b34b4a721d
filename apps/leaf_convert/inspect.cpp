#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "leaf/core/enum_names.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/io/known_weights.h"
#include "leaf/io/weights.h"
#include "leaf/pipeline/model.h"
#include "leaf_convert/commands.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

/// "encoder" of "encoder.conv_in.weight".
std::string top_level(const std::string& name) { return name.substr(0, name.find('.')); }

void print_tensors(const io::TensorMap& tensors) {
  std::map<std::string, std::int64_t> parts;
  double bytes = 0;
  for (const auto& [name, tensor] : tensors) {
    std::cout << printable(name) << "  " << leaf::str(tensor.sizes()) << "  "
              << c10::toString(tensor.scalar_type()) << '\n';
    parts[top_level(name)] += tensor.numel();
    bytes += static_cast<double>(tensor.nbytes());
  }
  for (const auto& [part, parameters] : parts) {
    std::cout << "  " << printable(part) << ": " << parameters << " parameters\n";
  }
  std::cout << "  total: " << tensors.size() << " tensors, " << io::parameter_count(tensors)
            << " parameters, " << bytes_text(bytes) << '\n';
}

/// What the names say the tensors are.
void print_kind(const io::TensorMap& tensors, const fs::path& path) {
  try {
    const io::KnownWeights known = io::recognise(tensors, path.string());
    std::cout << "kind: " << known.format << '\n';
    for (const auto& [part, found] : known.parts) {
      std::cout << "  " << enum_text(part) << ": " << found.size() << " tensors, "
                << io::parameter_count(found) << " parameters\n";
    }
    if (known.scaling_factor) {
      std::cout << "  latents are multiplied by " << *known.scaling_factor << '\n';
    }
    if (!known.unused.empty()) {
      std::cout << "  in none of our networks: " << known.unused.size() << " tensors\n";
    }
  } catch (const WeightsError&) {
    std::cout << "kind: unknown\n";
  }
}

void print_description(const ModelDescription& d) {
  const bool kl = d.autoencoder.type == models::AutoencoderType::kKl;
  std::cout << "autoencoder: "
            << (kl ? enum_text(d.autoencoder.type) : enum_text(d.autoencoder.variant)) << ", "
            << d.autoencoder.latent_channels << " latent channels, downsampling "
            << models::downsampling(d.autoencoder) << '\n'
            << "unet: model_channels " << d.unet.model_channels << ", channel_mult "
            << leaf::str(c10::IntArrayRef(d.unet.channel_mult)) << ", num_res_blocks "
            << d.unet.num_res_blocks << '\n'
            << "scheduler: " << enum_text(d.scheduler.prediction_type) << ", "
            << enum_text(d.scheduler.beta_schedule) << ", " << d.scheduler.num_train_timesteps
            << " timesteps\n"
            << "preprocessing: resolution " << d.preprocessing.resolution << ", threshold "
            << d.preprocessing.threshold << ", classes " << join(d.preprocessing.classes, ", ")
            << '\n';
}

/// A folder of parts, which need not make up a model that leaf_infer takes.
void print_parts(const fs::path& folder) {
  try {
    print_description(load_description(folder));
  } catch (const WeightsError& reason) {
    std::cout << "not a model for inference: " << reason.what() << '\n';
  }
  std::int64_t total = 0;
  for (const char* part : {"vae", "latent_encoder", "unet", "unet_ema"}) {
    if (fs::is_directory(folder / part)) {
      const io::TensorMap tensors = io::read_weights(folder / part);
      std::cout << "\n" << part << '\n';
      print_tensors(tensors);
      print_kind(tensors, folder / part);
      total += io::parameter_count(tensors);
    }
  }
  std::cout << "\nall parts: " << total << " parameters" << std::endl;
}

int run(const fs::path& path) {
  if (fs::is_directory(path / "unet")) {
    print_parts(path);
  } else if (fs::is_directory(path / "best") || fs::is_directory(path / "last")) {
    print_parts(find_model_folder(path));
  } else {
    const io::TensorMap tensors = io::read_weights(path);
    print_tensors(tensors);
    print_kind(tensors, path);
    std::cout << std::flush;
  }
  return kExitSuccess;
}

}  // namespace

Command add_inspect(CLI::App& app) {
  auto* command = app.add_subcommand(
      "inspect",
      "Lists the tensors of a weight file, a folder with one, or a model folder, and "
      "tells what they are");
  const auto path = std::make_shared<fs::path>();
  command->add_option("path", *path, "File or folder")->required();
  return {command, [path] { return run(*path); }};
}

}  // namespace leaf::apps
