#include "leaf/pipeline/segment_volume.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "data/picture_bytes.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "pipeline/mask_codec.h"
#include "volume_slices.h"

namespace leaf {
namespace {

class SliceSegmenter {
 public:
  SliceSegmenter(const Segmenter& segmenter, const data::Volume& volume, const std::string& name,
                 const MaskOptions& options, const SliceWork& work)
      : segmenter_(segmenter), volume_(volume), name_(name), options_(options), work_(work) {
    const data::ImageSize size = volume.slice_size();
    const std::vector<std::int64_t> shape{volume.slices(), size.height, size.width};
    data::name_memory_errors(volume.name(), [&] {
      result_.labels = at::empty(shape, at::kByte);
      if (work.probability) {
        result_.probability = at::empty(shape, at::kFloat);
      }
    });
  }

  VolumeSegmentation run() {
    for (std::int64_t begun = 0; begun < volume_.slices();) {
      const std::vector<PreparedFile> files = prepare(begun);
      const at::Tensor probability = probability_of(files, begun);
      if (!probability.defined()) {
        return {};
      }
      for (std::size_t i = 0; i < files.size(); ++i, ++begun) {
        keep(begun, files[i], probability[static_cast<std::int64_t>(i)]);
      }
    }
    return std::move(result_);
  }

 private:
  /// The slices from `begin` that the network sees at once; one, if it is cut into tiles.
  std::vector<PreparedFile> prepare(std::int64_t begin) const {
    const bool tiled = options_.tiling.has_value();
    const std::int64_t most = tiled ? 1 : static_cast<std::int64_t>(work_.batch);
    std::vector<PreparedFile> files;
    for (std::int64_t i = begin; i < std::min(begin + most, volume_.slices()); ++i) {
      files.push_back(prepare_image(
          segmenter_, data::read_slice(volume_, i, segmenter_.image_options().intensity),
          {.input = !tiled, .rgb = tiled}));
    }
    return files;
  }

  /// [N,C,R,R], of tiles [1,C,H,W]; undefined where the work is to end.
  at::Tensor probability_of(const std::vector<PreparedFile>& files, std::int64_t begin) const {
    if (options_.tiling) {
      const TileGrid grid(segmenter_, files.front().rgb, *options_.tiling);
      const at::Tensor probability =
          tiled_probability(segmenter_, files.front().rgb, data::slice_name(name_, begin), grid,
                            work_.batch, work_.run);
      return probability.defined() ? probability.unsqueeze(0) : probability;
    }
    std::vector<at::Tensor> inputs;
    ImageNames names;
    for (const PreparedFile& file : files) {
      names.push_back(data::slice_name(name_, begin + static_cast<std::int64_t>(inputs.size())));
      inputs.push_back(file.input);
    }
    return work_.run(at::stack(inputs), names);
  }

  void keep(std::int64_t index, const PreparedFile& file, const at::Tensor& probability) {
    require_finite(probability, data::slice_name(volume_.name(), index));
    const Segmentation slice = finish_file(segmenter_, file, probability, options_);
    const bool several = segmenter_.classes().several();
    result_.labels[index].copy_(several ? slice.mask : slice.mask.ne(0));
    if (work_.probability) {
      result_.probability[index].copy_(slice.probability);
    }
  }

  const Segmenter& segmenter_;
  const data::Volume& volume_;
  const std::string& name_;
  const MaskOptions& options_;
  const SliceWork& work_;
  VolumeSegmentation result_;
};

}  // namespace

void check_volume_options(const MaskOptions& options) {
  check_mask_options(options);
  if (options.size == OutputSize::kModel) {
    throw ConfigError(
        "a volume's mask has the volume's size; the output size 'model' is of images");
  }
}

VolumeSegmentation segment_slices(const Segmenter& segmenter, const data::Volume& volume,
                                  const std::string& name, const MaskOptions& options,
                                  const SliceWork& work) {
  check_volume_options(options);
  check_mask_options(options, segmenter.classes());
  return SliceSegmenter(segmenter, volume, name, options, work).run();
}

VolumeSegmentation segment_volume(const Segmenter& segmenter, const data::Volume& volume,
                                  const std::string& name, const MaskOptions& options,
                                  bool probability) {
  const auto batch = static_cast<std::size_t>(segmenter.images_at_once());
  const auto run = [&](const at::Tensor& inputs, const ImageNames& names) {
    return ensemble_probability(segmenter, inputs, names, options);
  };
  return segment_slices(segmenter, volume, name, options,
                        {.probability = probability, .batch = batch, .run = run});
}

}  // namespace leaf
