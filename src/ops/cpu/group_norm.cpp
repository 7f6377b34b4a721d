#include "group_norm.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "group_norm_rows.h"
#include "work_queue.h"

namespace leaf::ops::cpu {
namespace {

/// How x is cut for the threads: by its shape alone, so that sums do not depend on their number.
struct Blocks {
  explicit Blocks(const at::Tensor& x)
      : images(x.size(0)), channels(x.size(1)), pixels(x.size(2) * x.size(3)) {
    constexpr std::int64_t kMinElements = 16384;  // less is not worth a thread's while
    constexpr std::int64_t kMaxBlocks = 32;       // each has its own sums, which cost memory too
    const std::int64_t least = std::max(kMinElements / channels, pixels / kMaxBlocks);
    pixels_each = std::clamp<std::int64_t>(least, 1, pixels);
    each_image = (pixels + pixels_each - 1) / pixels_each;
  }

  std::int64_t images;
  std::int64_t channels;
  std::int64_t pixels;
  std::int64_t pixels_each;
  std::int64_t each_image;
};

/// run(image, index of the block among all, offset of its first element, pixels), in parallel.
template <typename Run>
void for_each_block(const Blocks& blocks, const Run& run) {
  const std::int64_t count = blocks.images * blocks.each_image;
  share_work(count, [&](WorkQueue& queue) {
    while (const auto i = queue.take()) {
      const std::int64_t image = *i / blocks.each_image;
      const std::int64_t first = (*i % blocks.each_image) * blocks.pixels_each;
      const std::int64_t offset = (image * blocks.pixels + first) * blocks.channels;
      run(image, *i, offset, std::min(blocks.pixels_each, blocks.pixels - first));
    }
  });
}

/// Two sums over each image's pixels, [N][2][C]; add(image, offset, pixels, sum, other_sum) adds
/// those of one block.
template <typename Add>
std::vector<double> channel_sums(const Blocks& blocks, const Add& add) {
  const auto width = static_cast<std::size_t>(2 * blocks.channels);
  const auto each_image = static_cast<std::size_t>(blocks.each_image);
  const auto images = static_cast<std::size_t>(blocks.images);
  std::vector<double> partial(images * each_image * width);
  for_each_block(blocks, [&](auto image, auto index, auto offset, auto pixels) {
    double* sums = partial.data() + static_cast<std::size_t>(index) * width;
    add(image, offset, pixels, sums, sums + blocks.channels);
  });
  std::vector<double> total(images * width);
  for (std::size_t i = 0; i < images * each_image; ++i) {
    double* image_total = total.data() + i / each_image * width;
    for (std::size_t j = 0; j < width; ++j) {
      image_total[j] += partial[i * width + j];
    }
  }
  return total;
}

/// The normalisation, its mean split into a float and what that rounds off: with the remainder in
/// the intercept, a large mean costs no digits.
class ChannelMaps {
 public:
  ChannelMaps(const Blocks& blocks, const GroupMoments& moments, const at::Tensor& gain,
              const at::Tensor& offset)
      : channels_(blocks.channels),
        values_(at::empty({blocks.images, 3, blocks.channels}, at::kFloat)) {
    const std::int64_t group_size = channels_ / moments.mean.size(1);
    const double* mean = moments.mean.const_data_ptr<double>();
    const double* rstd = moments.rstd.const_data_ptr<double>();
    const float* gains = gain.const_data_ptr<float>();
    const float* offsets = offset.const_data_ptr<float>();
    for (std::int64_t i = 0; i < blocks.images * channels_; ++i) {
      const double group_mean = mean[i / group_size];
      const double slope = rstd[i / group_size] * gains[i];
      const auto center = static_cast<float>(group_mean);
      float* image =
          values_.mutable_data_ptr<float>() + i / channels_ * 3 * channels_ + i % channels_;
      image[0] = center;
      image[channels_] = static_cast<float>(slope);
      image[2 * channels_] = static_cast<float>(offsets[i] - (group_mean - center) * slope);
    }
  }

  ChannelMap operator[](std::int64_t image) const {
    const float* first = values_.const_data_ptr<float>() + image * 3 * channels_;
    return {.center = first, .slope = first + channels_, .intercept = first + 2 * channels_};
  }

  const at::Tensor& values() const { return values_; }

 private:
  std::int64_t channels_;
  at::Tensor values_;  // [N,3,C]
};

/// The sums of dz and dz * (x - center) become the gradients of offset and gain (both [N,C]), and
/// what mean and variance pass on to x: linear and constant, [N][2][C].
struct SumGradients {
  at::Tensor gain;
  at::Tensor offset;
  std::vector<float> moment;
};

SumGradients sum_gradients(const Blocks& blocks, const std::vector<double>& sums,
                           const GroupMoments& moments, const at::Tensor& gain) {
  const std::int64_t groups = moments.mean.size(1);
  const std::int64_t group_size = blocks.channels / groups;
  const auto elements = static_cast<double>(group_size * blocks.pixels);
  SumGradients result{.gain = at::empty_like(gain),
                      .offset = at::empty_like(gain),
                      .moment = std::vector<float>(sums.size())};
  float* gain_gradient = result.gain.mutable_data_ptr<float>();
  float* offset_gradient = result.offset.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < blocks.images * groups; ++i) {
    const double mean = moments.mean.const_data_ptr<double>()[i];
    const double rstd = moments.rstd.const_data_ptr<double>()[i];
    const double remainder = mean - static_cast<float>(mean);
    const std::int64_t first = i / groups * 2 * blocks.channels + i % groups * group_size;
    double mean_share = 0;      // mean over the group of d(normalised)
    double variance_share = 0;  // and of d(normalised) * normalised
    for (std::int64_t c = 0; c < group_size; ++c) {
      const std::int64_t out = i * group_size + c;
      const double sum = sums[first + c];
      const double projection = (sums[first + blocks.channels + c] - remainder * sum) * rstd;
      const double factor = gain.const_data_ptr<float>()[out];
      offset_gradient[out] = static_cast<float>(sum);
      gain_gradient[out] = static_cast<float>(projection);
      mean_share += factor * sum / elements;
      variance_share += factor * projection / elements;
    }
    const double linear = -rstd * rstd * variance_share;
    const auto linears = result.moment.begin() + first;
    std::fill_n(linears, group_size, static_cast<float>(linear));
    std::fill_n(linears + blocks.channels, group_size,
                static_cast<float>(-rstd * mean_share - linear * remainder));
  }
  return result;
}

}  // namespace

GroupMoments group_moments(const at::Tensor& x, std::int64_t groups, double eps) {
  const Blocks blocks(x);
  const float* values = x.const_data_ptr<float>();
  const std::vector<double> sums =
      channel_sums(blocks, [&](auto, auto offset, auto pixels, double* sum, double* squares) {
        add_sums(values + offset, pixels, blocks.channels, sum, squares);
      });
  const GroupMoments moments{.mean = at::empty({blocks.images, groups}, at::kDouble),
                             .rstd = at::empty({blocks.images, groups}, at::kDouble)};
  const std::int64_t group_size = blocks.channels / groups;
  const auto elements = static_cast<double>(group_size * blocks.pixels);
  for (std::int64_t i = 0; i < blocks.images * groups; ++i) {
    const double* first = sums.data() + i / groups * 2 * blocks.channels + i % groups * group_size;
    double sum = 0;
    double squares = 0;
    for (std::int64_t c = 0; c < group_size; ++c) {
      sum += first[c];
      squares += first[blocks.channels + c];
    }
    const double mean = sum / elements;
    // In double the difference loses nothing that float32 values hold. std::max keeps a NaN here.
    const double variance = std::max(squares / elements - mean * mean, 0.0);
    moments.mean.mutable_data_ptr<double>()[i] = mean;
    moments.rstd.mutable_data_ptr<double>()[i] = 1 / std::sqrt(variance + eps);
  }
  return moments;
}

at::Tensor normalisation_maps(const at::Tensor& x, std::int64_t groups, const ChannelAffine& affine,
                              double eps) {
  return ChannelMaps(Blocks(x), group_moments(x, groups, eps), affine.gain, affine.offset).values();
}

at::Tensor normalise(const at::Tensor& x, const GroupMoments& moments, const at::Tensor& gain,
                     const at::Tensor& offset, bool silu) {
  const Blocks blocks(x);
  const ChannelMaps maps(blocks, moments, gain, offset);
  at::Tensor y = at::empty_like(x);
  const float* from = x.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  for_each_block(blocks, [&](auto image, auto, auto first, auto pixels) {
    map_rows(from + first, to + first, pixels, blocks.channels, maps[image], silu);
  });
  return y;
}

NormaliseGradients normalise_backward(const at::Tensor& grad, const at::Tensor& x,
                                      const GroupMoments& moments, const at::Tensor& gain,
                                      const at::Tensor& offset, bool silu) {
  const Blocks blocks(x);
  const ChannelMaps maps(blocks, moments, gain, offset);
  const float* grads = grad.const_data_ptr<float>();
  const float* values = x.const_data_ptr<float>();
  const std::vector<double> sums =
      channel_sums(blocks, [&](auto image, auto first, auto pixels, double* sum, double* centered) {
        add_gradient_sums(grads + first, values + first, pixels, blocks.channels, maps[image], silu,
                          sum, centered);
      });
  const SumGradients reduced = sum_gradients(blocks, sums, moments, gain);
  at::Tensor dx = at::empty_like(x);
  float* to = dx.mutable_data_ptr<float>();
  for_each_block(blocks, [&](auto image, auto, auto first, auto pixels) {
    const float* linear = reduced.moment.data() + image * 2 * blocks.channels;
    map_gradient_rows(grads + first, values + first, to + first, pixels, blocks.channels,
                      maps[image], silu, {.linear = linear, .constant = linear + blocks.channels});
  });
  return {.x = dx, .gain = reduced.gain, .offset = reduced.offset};
}

}  // namespace leaf::ops::cpu
