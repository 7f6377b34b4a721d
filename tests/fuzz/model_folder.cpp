#include <array>
#include <fstream>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/pipeline/model.h"
#include "support/temporary_folder.h"
#include "targets.h"

namespace leaf::fuzz {
namespace {

constexpr std::array kFiles{"vae/config.json",
                            "unet/config.json",
                            "latent_encoder/config.json",
                            "scheduler/scheduler_config.json",
                            "preprocessing.json",
                            "model_index.json"};

/// The JSON files of a model folder.
class ModelFolder {
 public:
  ModelFolder() {
    for (const char* file : kFiles) {
      make_folder((folder_ / file).parent_path());
      write(file, valid(file));
    }
    load_description(folder_.path());
  }

  /// Reads the folder with `bytes` in place of one of its files.
  void read_with(const char* file, std::string_view bytes) const {
    write(file, bytes);
    try {
      load_description(folder_.path());
    } catch (const WeightsError&) {
    }
    write(file, valid(file));
  }

 private:
  static std::string_view valid(std::string_view file) {
    if (file == kFiles[0]) {
      return R"({"_class_name": "AutoencoderKL", "ch": 32, "ch_mult": [1, 2]})";
    }
    if (file == kFiles[1]) {
      return R"({"in_channels": 8, "out_channels": 4, "model_channels": 32, "channel_mult": [1, 2],
                 "num_res_blocks": 1, "attention_resolutions": [1], "num_heads": 2,
                 "use_scale_shift_norm": true, "resblock_updown": true})";
    }
    if (file == kFiles[3]) {
      return R"({"beta_schedule": "linear", "beta_start": 0.001, "beta_end": 0.02,
                 "num_train_timesteps": 10, "prediction_type": "sample"})";
    }
    return file == kFiles[4] ? R"({"resolution": 16, "threshold": 0.5})" : "{}";
  }

  void write(const char* file, std::string_view bytes) const {
    std::ofstream(folder_ / file, std::ios::binary) << bytes;
  }

  test::TemporaryFolder folder_;
};

}  // namespace

void model_folder(std::string_view bytes) {
  static const ModelFolder folder;
  for (const char* file : kFiles) {
    folder.read_with(file, bytes);
  }
}

}  // namespace leaf::fuzz
