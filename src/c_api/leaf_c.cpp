#include <ATen/ATen.h>

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "leaf.h"
#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/pipeline/segment_file.h"
#include "leaf/pipeline/segmenter.h"
#include "pipeline/mask_codec.h"

struct leaf_model {
  leaf::Segmenter segmenter;
};

struct leaf_result {
  at::Tensor mask;         ///< uint8 [H, W], contiguous on the CPU
  at::Tensor probability;  ///< float32 [H, W], likewise
};

namespace {

using Result = std::unique_ptr<leaf_result>;

std::string& last_error() {
  static thread_local std::string message;
  return message;
}

/// What the caller did wrong; reported as LEAF_INVALID_ARGUMENT.
class ArgumentError : public leaf::Error {
 public:
  using leaf::Error::Error;
};

leaf_status failure(leaf_status status, std::string_view message) noexcept {
  try {
    last_error() = message.substr(0, message.find('\n'));
  } catch (const std::exception&) {  // without memory even for the message, the status has to do
    last_error().clear();
  }
  return status;
}

/// Without LibTorch's stack trace.
const char* own_words(const std::exception& error) noexcept {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  return torch != nullptr ? torch->what_without_backtrace() : error.what();
}

/// Runs `body` and turns what it throws into a status: nothing passes through C.
template <typename Body>
leaf_status guarded(const Body& body) noexcept {
  try {
    body();
    return LEAF_OK;
  } catch (const ArgumentError& error) {
    return failure(LEAF_INVALID_ARGUMENT, error.what());
  } catch (const leaf::ConfigError& error) {
    return failure(LEAF_INVALID_ARGUMENT, error.what());
  } catch (const leaf::DataError& error) {
    return failure(LEAF_DATA_ERROR, error.what());
  } catch (const leaf::WeightsError& error) {
    return failure(LEAF_WEIGHTS_ERROR, error.what());
  } catch (const leaf::FileError& error) {
    return failure(LEAF_FILE_ERROR, error.what());
  } catch (const std::exception& error) {
    return leaf::is_out_of_memory(error) ? failure(LEAF_OUT_OF_MEMORY, "out of memory")
                                         : failure(LEAF_FAILED, own_words(error));
  } catch (...) {
    return failure(LEAF_FAILED, "an error of unknown type");
  }
}

void require(bool given, const char* what) {
  if (!given) {
    throw ArgumentError(leaf::str(what, " must not be null"));
  }
}

leaf::SegmenterOptions segmenter_options(const leaf_options& options) {
  if (options.struct_size < sizeof(leaf_options)) {
    throw ArgumentError("leaf_options.struct_size: start from leaf_default_options()");
  }
  require(options.device != nullptr, "leaf_options.device");
  require(options.precision != nullptr, "leaf_options.precision");
  if (options.threads < 0 || options.num_inference_steps < 0) {
    throw ArgumentError("leaf_options: threads and num_inference_steps must not be negative");
  }
  leaf::SegmenterOptions result;
  result.device = leaf::parse_device(options.device, "leaf_options.device");
  result.precision = leaf::parse_enum<leaf::Precision>(options.precision, "leaf_options.precision");
  result.seed = options.seed;
  result.num_inference_steps = options.num_inference_steps;
  return result;
}

Result make_result(const leaf::Segmentation& segmentation) {
  return std::make_unique<leaf_result>(
      leaf_result{segmentation.mask.contiguous(), segmentation.probability.contiguous()});
}

std::string text_of(const char* text) { return text != nullptr ? text : ""; }

/// A copy of the caller's pixels: uint8 [H, W, 3].
at::Tensor copy_pixels(const leaf_image& image) {
  require(image.rgb != nullptr, "leaf_image.rgb");
  const std::int64_t row_bytes = image.row_bytes == 0 ? 3 * image.width : image.row_bytes;
  if (image.height < 1 || image.width < 1 || row_bytes < 3 * image.width) {
    throw ArgumentError(leaf::str("leaf_image: height ", image.height, ", width ", image.width,
                                  " and row_bytes ", image.row_bytes,
                                  " are no picture; both sides must be positive and a row at least "
                                  "3 * width bytes long"));
  }
  return at::from_blob(const_cast<std::uint8_t*>(image.rgb), {image.height, image.width, 3},
                       {row_bytes, 3, 1}, at::kByte)
      .clone(at::MemoryFormat::Contiguous);
}

std::vector<Result> segment_batch(const leaf::Segmenter& segmenter,
                                  const std::vector<at::Tensor>& images,
                                  const leaf::ImageNames& names) {
  std::vector<at::Tensor> inputs;
  for (const at::Tensor& image : images) {
    inputs.push_back(segmenter.prepare(image));
  }
  const at::Tensor probability = segmenter.probability(at::stack(inputs), names);
  std::vector<Result> results;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const at::Tensor own = probability[static_cast<std::int64_t>(i)];
    leaf::require_finite(own, leaf::str("image ", i));
    results.push_back(make_result(segmenter.finish(own, images[i].size(0), images[i].size(1))));
  }
  return results;
}

}  // namespace

const char* leaf_version(void) {
  static const std::string version = leaf::version();
  return version.c_str();
}

const char* leaf_last_error(void) { return last_error().c_str(); }

leaf_options leaf_default_options(void) {
  return {.struct_size = sizeof(leaf_options),
          .device = "cpu",
          .precision = "fp32",
          .seed = 0,
          .num_inference_steps = 0,
          .threads = 0};
}

leaf_status leaf_load(const char* folder, const leaf_options* options, leaf_model** model) {
  return guarded([&] {
    require(folder != nullptr, "folder");
    require(model != nullptr, "model");
    const leaf_options given = options != nullptr ? *options : leaf_default_options();
    const leaf::SegmenterOptions wanted = segmenter_options(given);
    if (given.threads > 0) {
      leaf::set_threads(given.threads);
    }
    leaf::set_up_gpu(wanted.device);
    *model = new leaf_model{leaf::Segmenter::load(leaf::find_model_folder(folder), wanted)};
  });
}

void leaf_free(leaf_model* model) { delete model; }

std::int64_t leaf_resolution(const leaf_model* model) {
  return model->segmenter.model().description.preprocessing.resolution;
}

std::int32_t leaf_class_count(const leaf_model* model) {
  return static_cast<std::int32_t>(model->segmenter.classes().list.size());
}

const char* leaf_class_name(const leaf_model* model, std::int32_t number) {
  const auto& list = model->segmenter.classes().list;
  const bool is_one = number >= 0 && number < leaf_class_count(model);
  return is_one ? list[static_cast<std::size_t>(number)].name.c_str() : nullptr;
}

leaf_status leaf_segment_file(const leaf_model* model, const char* path, leaf_result** result) {
  return guarded([&] {
    require(model != nullptr, "model");
    require(path != nullptr, "path");
    require(result != nullptr, "result");
    *result = make_result(leaf::segment_file(model->segmenter, path)).release();
  });
}

leaf_status leaf_segment_bytes(const leaf_model* model, const void* bytes, std::size_t size,
                               const char* name, leaf_result** result) {
  return guarded([&] {
    require(model != nullptr, "model");
    require(bytes != nullptr, "bytes");
    require(result != nullptr, "result");
    const leaf::Segmenter& segmenter = model->segmenter;
    const leaf::data::LoadedImage image = leaf::data::decode_image(
        {static_cast<const char*>(bytes), size}, text_of(name), segmenter.image_options());
    *result = make_result(leaf::segment_image(segmenter, image, text_of(name))).release();
  });
}

leaf_status leaf_segment_images(const leaf_model* model, const leaf_image* images,
                                std::size_t count, leaf_result** results) {
  return guarded([&] {
    require(model != nullptr, "model");
    require(images != nullptr || count == 0, "images");
    require(results != nullptr || count == 0, "results");
    if (count == 0) {
      return;
    }
    std::vector<at::Tensor> pixels;
    leaf::ImageNames names;
    for (std::size_t i = 0; i < count; ++i) {
      pixels.push_back(copy_pixels(images[i]));
      names.push_back(text_of(images[i].name));
    }
    std::vector<Result> made = segment_batch(model->segmenter, pixels, names);
    for (std::size_t i = 0; i < count; ++i) {
      results[i] = made[i].release();
    }
  });
}

std::int64_t leaf_result_height(const leaf_result* result) { return result->mask.size(0); }

std::int64_t leaf_result_width(const leaf_result* result) { return result->mask.size(1); }

const std::uint8_t* leaf_result_mask(const leaf_result* result) {
  return result->mask.const_data_ptr<std::uint8_t>();
}

const float* leaf_result_probability(const leaf_result* result) {
  return result->probability.const_data_ptr<float>();
}

void leaf_result_free(leaf_result* result) { delete result; }
