// The networks, the scheduler and the whole pipeline against numbers of the published
// implementation.
#include "support/golden.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/diffusion/noise_scheduler.h"
#include "leaf/io/safetensors.h"
#include "leaf/models/autoencoder_kl.h"
#include "leaf/models/unet.h"
#include "leaf/pipeline/segmenter.h"

namespace leaf {
namespace {

constexpr double kTolerance = 1e-4;

ModelDescription small_description() {
  ModelDescription description;
  description.autoencoder.ch = 32;
  description.autoencoder.ch_mult = {1, 1, 2, 2};
  description.unet.model_channels = 32;
  description.unet.channel_mult = {1, 1, 2, 2, 2};
  return description;
}

Model formula_model(const ModelDescription& description) {
  Model model = make_model(description);
  test::fill_by_formula(*model.autoencoder, "vae.");
  test::fill_by_formula(*model.latent_encoder, "latent_encoder.");
  test::fill_by_formula(*model.unet, "unet.");
  return model;
}

/// As inference runs it.
Model prepared_formula_model(const ModelDescription& description) {
  Model model = formula_model(description);
  prepare_for_inference(model, {});
  return model;
}

/// Compares with golden values of one folder and prints each error.
class GoldenCheck {
 public:
  explicit GoldenCheck(const std::filesystem::path& folder)
      : golden_(io::read_safetensors(folder / "activations.safetensors")),
        samples_(golden_.at("input.timestep").size(0)) {}

  /// All samples of a tensor; the fixture holds more of those that the training test reads.
  at::Tensor operator[](const std::string& name) const {
    return golden_.at(name).narrow(0, 0, samples_);
  }

  /// mask [N, 3, R, R], 0 or 1; stored as one channel of bytes in the fixture.
  at::Tensor mask() const { return (*this)["input.mask"].to(at::kFloat).expand({-1, 3, -1, -1}); }

  void expect(const std::string& name, const at::Tensor& ours) const {
    const at::Tensor theirs = (*this)[name];
    const double error = test::relative_error(at_pixels_of(theirs, ours), theirs);
    std::cout << "  " << name << "  relative error " << error << "\n";
    EXPECT_LE(error, kTolerance) << name;
  }

 private:
  /// The fixture holds every other row and column of large maps: those of ours.
  static at::Tensor at_pixels_of(const at::Tensor& theirs, const at::Tensor& ours) {
    const std::int64_t step = ours.size(-1) / theirs.size(-1);
    return step == 1 ? ours : ours.slice(-2, 0, {}, step).slice(-1, 0, {}, step);
  }

  io::TensorMap golden_;
  std::int64_t samples_;
};

void expect_networks(const Model& model, const GoldenCheck& golden) {
  const at::NoGradGuard no_grad;
  auto& vae = dynamic_cast<models::AutoencoderKL&>(*model.autoencoder);
  const at::Tensor image = golden["input.image"].contiguous(at::MemoryFormat::ChannelsLast);
  golden.expect("vae.moments", vae.moments(golden.mask()));
  golden.expect("vae.mask_latent", vae.encode(golden.mask()));
  const at::Tensor latent = model.latent_encoder->encode(image);
  golden.expect("latent_encoder.latent", latent);
  const double scale = model.description.autoencoder.scaling_factor;
  golden.expect("vae.decoded", vae.decode_raw(golden["vae.mask_latent"] / scale));

  const diffusion::NoiseScheduler scheduler(model.description.scheduler);
  const at::Tensor noisy = scheduler.add_noise(golden["vae.mask_latent"], golden["input.noise"],
                                               golden["input.timestep"]);
  golden.expect("diffusion.noisy_latent", noisy);
  nn::Activations activations({"input_blocks.3", "middle_block"});
  golden.expect("unet.output", model.unet->forward(at::cat({latent, noisy}, 1),
                                                   golden["input.timestep"], &activations));
  golden.expect("unet.input_blocks.3", activations.at("input_blocks.3"));
  golden.expect("unet.middle_block", activations.at("middle_block"));
}

void expect_pipeline(Model model, const GoldenCheck& golden) {
  for (const auto& [type, name] : enum_names(diffusion::PredictionType{})) {
    for (const std::int64_t steps : {1, 4}) {
      model.description.scheduler.prediction_type = type;
      const Segmenter segmenter(model, {.num_inference_steps = steps});
      golden.expect("pipeline." + name + "." + std::to_string(steps),
                    segmenter.probability(golden["input.image"], golden["input.noise"]));
    }
  }
}

void expect_golden(const std::filesystem::path& folder, const ModelDescription& description) {
  const GoldenCheck golden(folder);
  const Model model = prepared_formula_model(description);
  expect_networks(model, golden);
  expect_pipeline(model, golden);
}

void expect_complete_set(const std::string& part, const ModelDescription& description) {
  const auto folder = test::golden_folder(part);
  if (!folder) {
    GTEST_SKIP() << "LEAF_GOLDEN_DIR is not set, or has no folder '" << part << "'";
  }
  expect_golden(*folder, description);
}

}  // namespace

TEST(Golden, SmallNetworks) { expect_golden(test::golden_fixture(), small_description()); }

TEST(Golden, SmallNetworksOnTheCompleteSet) { expect_complete_set("small", small_description()); }

TEST(Golden, FullSizeNetworks) { expect_complete_set("full", ModelDescription{}); }

TEST(Golden, PublishedFolderEqualsTheFormula) {
  const auto folder = test::golden_folder("small");
  if (!folder) {
    GTEST_SKIP() << "LEAF_GOLDEN_DIR is not set, or has no folder 'small'";
  }
  const Model loaded = load_model(*folder / "pipeline");
  const Model made = formula_model(small_description());
  for (const auto& [ours, theirs] :
       {std::pair<torch::nn::Module*, torch::nn::Module*>{loaded.unet.get(), made.unet.get()},
        {loaded.autoencoder.get(), made.autoencoder.get()},
        {loaded.latent_encoder.get(), made.latent_encoder.get()}}) {
    const auto expected = theirs->named_parameters();
    for (const auto& item : ours->named_parameters()) {
      EXPECT_TRUE(at::allclose(item.value(), expected[item.key()], 1e-6, 1e-7)) << item.key();
    }
  }
}

}  // namespace leaf
