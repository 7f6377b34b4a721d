#pragma once

#include <cstdint>
#include <optional>

#include "leaf/io/known_weights.h"
#include "leaf/models/input_widening.h"
#include "leaf/pipeline/model.h"
#include "pipeline/weights/gather_weights.h"

namespace torch::nn {
class Module;
}

namespace leaf {

/// The model of a description with the gathered weights. A U-Net that takes the mask's latent alone
/// is widened to take the image's too (as in the paper, unless `widening` says else), and a latent
/// encoder that no file holds starts as a copy of the autoencoder's encoder (the paper's start).
/// What starts from what is logged; latents of another scale than the description's are warned of.
/// io::WeightsMismatch lists every tensor that does not fit, of all networks. Autoencoder and U-Net
/// start from random weights of `random_seed` where no file holds them; they must be there without
/// one.
TrainingModel load_networks(const ModelDescription& description, GatheredWeights gathered,
                            std::optional<std::uint64_t> random_seed,
                            models::InputWidening widening = models::InputWidening::kHalved);

/// Gives `module` the gathered weights of one network, which must be there.
void load_network(torch::nn::Module& module, GatheredWeights gathered, io::WeightPart name);

}  // namespace leaf
