#pragma once

#include "leaf/config/config.h"
#include "leaf/pipeline/model.h"

namespace leaf {

/// The light model that is to learn from `teacher`: a tiny autoencoder and image encoder of the
/// configuration's shape with the teacher's latents, the U-Net that DistillSection::unet chooses
/// (kTeacher: shared, not copied), and the teacher's diffusion and preprocessing.
/// Encoders and decoder start as those of the light model in ModelSection::pretrained, else, where
/// they have the teacher's shape, as copies; everything else starts at random. Throws ConfigError
/// where the configuration does not fit the teacher, WeightsError where `pretrained` does not.
TrainingModel make_light_model(const Config& config, const TrainingModel& teacher);

}  // namespace leaf
