#pragma once

#include <ATen/core/TensorBody.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "leaf/core/device.h"
#include "leaf/core/enum_names.h"
#include "leaf/data/image_io.h"
#include "leaf/data/volume.h"
#include "leaf/diffusion/noise_scheduler.h"
#include "leaf/pipeline/model.h"

namespace leaf {

/// What the sampler starts from. kNormal: a standard normal draw, as in training. kZeros: zeros,
/// the mean of all draws, for results without a draw.
enum class StartingNoise { kNormal, kZeros };
inline EnumNames<StartingNoise> enum_names(StartingNoise /*tag*/) {
  return {{StartingNoise::kNormal, "normal"}, {StartingNoise::kZeros, "zeros"}};
}

/// Names of images, which their draws follow from; see Segmenter::starting_noise.
using ImageNames = std::vector<std::string>;

struct SegmenterOptions {
  /// Where the networks run.
  c10::Device device = c10::kCPU;
  /// What they compute in.
  Precision precision = Precision::kFloat32;
  /// The starting noise of an image is a function of this and of the image's name.
  std::uint64_t seed = 0;
  StartingNoise noise = StartingNoise::kNormal;
  /// Denoising steps; 0 takes those that the model folder states, else 1.
  std::int64_t num_inference_steps = 0;
  /// Larger pictures are refused before they are decoded; see image_options().
  data::PictureLimits limits = {};
};

/// One image's result at its own size.
struct Segmentation {
  at::Tensor mask;         ///< uint8 [H, W], 0 or 255; of several classes labels: 0, 1, 2, ...
  at::Tensor probability;  ///< float32 [H, W] in [0, 1], that a pixel is no background
  at::Tensor classes;      ///< float32 [C, H, W]: the same of each of the C classes beside it
};

/// Waits for a batch whose networks are at work, where it is not done yet, and gives its
/// probability, on the CPU.
using PendingProbability = std::function<at::Tensor()>;

/// Image -> mask: the one path that validation, evaluation and inference share.
///
/// Every function that is const may be called from several threads at once; the results are the
/// same to the bit as one after the other. Arguments of the wrong type, shape or device throw
/// DataError, which says what was expected.
class Segmenter {
 public:
  /// Loads a model folder and prepares it for inference. The weights are in memory then: what
  /// happens to the files afterwards changes nothing.
  static Segmenter load(const std::filesystem::path& folder, const SegmenterOptions& options = {});

  /// Uses the networks of `model` as they are: nothing is copied or prepared, so that networks in
  /// training can be scored. They must be in evaluation mode while they are used here. Throws
  /// ConfigError if the schedule has no such number of steps.
  Segmenter(Model model, const SegmenterOptions& options);

  /// images [N, 3, R, R] in [0, 1] at the model's resolution -> probability [N, C, R, R] in [0, 1],
  /// float32, of the C classes beside the background: of two classes C is 1, the foreground.
  /// Independent of the batch: an image's starting noise follows from its name (starting_noise).
  at::Tensor probability(const at::Tensor& images, const ImageNames& names = {}) const;

  /// As above, from a given starting noise [N, L, r, r]: encode, sample and decode.
  at::Tensor probability(const at::Tensor& images, const at::Tensor& noise) const;

  /// probability(images, names) that on a GPU is only begun: what is called before the result is
  /// asked for runs meanwhile, the next begin() too. Copies there and back go through pinned
  /// memory.
  PendingProbability begin(const at::Tensor& images, const ImageNames& names = {}) const;

  /// The three steps of probability(). Several samples of one image share its latent: encode once,
  /// then sample and decode from starting_noise(images, names, 0), (images, names, 1), ...
  ///
  /// images float32 [N, 3, R, R] in [0, 1] -> image latent float32 [N, L, r, r] on the device
  at::Tensor encode(const at::Tensor& images) const;
  /// image latent, starting noise float32 [N, L, r, r] -> mask latent [N, L, r, r] on the device
  at::Tensor sample(const at::Tensor& image_latent, const at::Tensor& noise) const;
  /// mask latent [N, L, r, r] -> probability float32 [N, C, R, R] on the CPU
  at::Tensor decode(const at::Tensor& latent) const;

  /// `count` noise samples of each image, 1 or more: [count, N, C, R, R], the first of which is
  /// probability(images, names), on a CPU to the bit. The images are encoded once; images_at_once()
  /// samples are decoded together.
  at::Tensor probabilities(const at::Tensor& images, const ImageNames& names,
                           std::int64_t count) const;

  /// How many images of the model's size the device is best given at once: on a CPU 1, more is not
  /// faster; on a GPU 16 of 256x256, of larger ones fewer in proportion to their pixels.
  std::int64_t images_at_once() const;

  /// images as in encode -> noise float32 [N, L, r, r] on the CPU: zeros, or draws that follow from
  /// the seed, each image's name and the number of the sample. Of the images only the shape counts,
  /// so that another decoder's pixels start from the same draw. Of a name, "sub/0001", only the
  /// part behind the last '/' counts, and neither upper and lower case nor Unicode's form; it is
  /// meant to be a file's name without extension, as leaf_infer, leaf_eval and validation give it.
  /// Without `names` every image's name is "". Throws DataError for another number of names than of
  /// images. Sample 0 is the one that probability(images, names) starts from.
  at::Tensor starting_noise(const at::Tensor& images, const ImageNames& names = {},
                            std::int64_t sample = 0) const;

  /// How images for segment() and prepare() are to be read: data::read_image(path,
  /// image_options()).
  data::ImageOptions image_options() const;
  /// How volumes are to be cut: data::open_volume(path, volume_options()).
  data::VolumeOptions volume_options() const;

  /// rgb uint8 [H, W, 3] of any size -> mask and probability at the same size: resized to the
  /// model's resolution, segmented, the probability resized back and then thresholded. With the
  /// file's name without extension the mask is leaf_infer's.
  Segmentation segment(const at::Tensor& rgb, const std::string& name = "") const;

  /// The first and the last part of segment(), for callers that put several images into one batch.
  /// prepare: rgb uint8 [H, W, 3] -> [3, R, R] in [0, 1] at the model's resolution.
  at::Tensor prepare(const at::Tensor& rgb) const;
  /// finish: probability [C, R, R] -> probability and mask of height x width pixels; at R x R the
  /// mask is the one that validation scores.
  Segmentation finish(const at::Tensor& probability, std::int64_t height, std::int64_t width) const;

  /// probability [..., C, H, W] -> label map uint8 [..., H, W]: 0 background, 1, 2, ... the classes
  /// in their order. Of two classes 1 where it exceeds the model's threshold.
  at::Tensor labels(const at::Tensor& probability) const;

  /// What labels stand for.
  const data::MaskClasses& classes() const { return model_.description.preprocessing.classes; }

  const Model& model() const { return model_; }
  /// As given, the number of steps resolved.
  const SegmenterOptions& options() const { return options_; }

 private:
  struct Recorded;

  void record_calls();
  at::Tensor placed(const at::Tensor& tensor) const;
  at::Tensor decode_on_device(const at::Tensor& latent) const;
  void check_images(const at::Tensor& images) const;
  void check_latent(const at::Tensor& latent, const char* name) const;

  Model model_;
  SegmenterOptions options_;
  diffusion::NoiseScheduler scheduler_;
  std::shared_ptr<Recorded> recorded_;  ///< of a model prepared for a GPU; null elsewhere
};

/// Moves a model to the device and puts its weights into the form in which inference runs fastest.
/// In float32 on the CPU that is a form of our own (ops::PackedConv2d): such a model can neither be
/// saved nor trained any more.
void prepare_for_inference(Model& model, const SegmenterOptions& options);
/// The same of a model with its autoencoder, and of one network.
void prepare_for_inference(TrainingModel& model, const SegmenterOptions& options);
void prepare_for_inference(torch::nn::Module& network, const SegmenterOptions& options);

}  // namespace leaf
