#pragma once

#include <cstdint>
#include <optional>

#include "leaf/io/known_weights.h"
#include "leaf/pipeline/model.h"
#include "pipeline/weights/gather_weights.h"

namespace torch::nn {
class Module;
}

namespace leaf {

struct LoadOptions {
  /// The networks that may learn need memory of their own. Without, tensors of mapped files stay
  /// where they are, which suits what is only read.
  bool own_memory = false;
  /// Autoencoder and U-Net start from random weights of this seed where no file holds them; they
  /// must be there without.
  std::optional<std::uint64_t> random_seed = {};
};

/// The model of a description with the gathered weights. A U-Net that takes the mask's latent alone
/// is widened to take the image's too, and a latent encoder that no file holds starts as a copy of
/// the autoencoder's encoder (the paper's start). What starts from what is logged; latents of
/// another scale than the description's are warned of. io::WeightsMismatch lists every tensor that
/// does not fit, of all networks.
TrainingModel load_networks(const ModelDescription& description, GatheredWeights gathered,
                            const LoadOptions& options);

/// Gives `module` the gathered weights of one network, which must be there.
void load_network(torch::nn::Module& module, const GatheredWeights& gathered, io::WeightPart name,
                  bool own_memory);

}  // namespace leaf
