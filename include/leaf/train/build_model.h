#pragma once

#include <memory>

#include "leaf/config/config.h"
#include "leaf/pipeline/model.h"

namespace leaf::models {
class Teacher;
}

namespace leaf {

/// The model that a configuration stands for.
ModelDescription describe(const Config& config);

/// The model with its starting weights. `model.init: random` draws all of them. Otherwise the
/// autoencoder is loaded; the U-Net is loaded (a 4-channel input is widened as
/// `model.unet.widening` says) or, where no weights are named, drawn at random; the latent encoder
/// is loaded or copied from the autoencoder's encoder. What starts from what is logged. Throws
/// WeightsError for files that are missing or do not fit.
TrainingModel build_model(const Config& config);

/// Puts the weights that `section` names (or those of its `pretrained`) into `autoencoder`: all
/// paths together, each a model folder, a `vae` folder or a weight file in any format that
/// io::recognise knows. Throws ConfigError when it names none.
void load_autoencoder(models::Autoencoder& autoencoder, const ModelSection& section);

/// The frozen teacher of `alignment`, or null when there is none.
std::shared_ptr<models::Teacher> build_teacher(const Config& config);

}  // namespace leaf
