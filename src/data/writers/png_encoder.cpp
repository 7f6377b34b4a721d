#include <ATen/ATen.h>
#include <png.h>
#include <zlib.h>

#include <bit>
#include <csetjmp>
#include <cstring>
#include <new>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"

namespace leaf::data {
namespace {

/// Encodes into memory. libpng leaves its calls by longjmp when something is wrong: they stand in
/// `attempt`, in functions whose variables need no destructor.
class PngEncoder {
 public:
  PngEncoder() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, &PngEncoder::on_error, nullptr);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      throw std::bad_alloc();
    }
    png_set_write_fn(png_, this, &PngEncoder::put, nullptr);
  }
  ~PngEncoder() { png_destroy_write_struct(&png_, &info_); }
  PngEncoder(const PngEncoder&) = delete;
  PngEncoder& operator=(const PngEncoder&) = delete;

  template <typename Step>
  void attempt(const Step& step) {
    if (setjmp(png_jmpbuf(png_)) != 0) {  // NOLINT(cert-err52-cpp): libpng's way
      throw Error(str("cannot encode a PNG picture: libpng: ", message_));
    }
    step(png_, info_);
  }

  std::string take_bytes() { return std::move(bytes_); }

 private:
  static void on_error(png_structp png, png_const_charp message) {
    auto* encoder = static_cast<PngEncoder*>(png_get_error_ptr(png));
    std::strncpy(encoder->message_, message, sizeof(encoder->message_) - 1);
    png_longjmp(png, 1);
  }

  static void put(png_structp png, png_bytep bytes, std::size_t count) {
    auto* encoder = static_cast<PngEncoder*>(png_get_io_ptr(png));
    bool enough_memory = true;
    try {
      encoder->bytes_.append(reinterpret_cast<const char*>(bytes), count);
    } catch (const std::bad_alloc&) {
      enough_memory = false;
    }
    if (!enough_memory) {
      png_error(png, "not enough memory");
    }
  }

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::string bytes_;
  char message_[128] = {};
};

/// Where each row of `samples` begins.
std::vector<png_bytep> rows_of(const at::Tensor& samples) {
  const auto bytes = samples.stride(0) * samples.element_size();
  auto* row = static_cast<png_bytep>(samples.data_ptr());
  std::vector<png_bytep> rows;
  for (std::int64_t y = 0; y < samples.size(0); ++y, row += bytes) {
    rows.push_back(row);
  }
  return rows;
}

/// Quick and small enough for masks: one filter, zlib's first level, runs of equal bytes.
void set_compression(png_structp png) {
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB);
  png_set_compression_level(png, Z_BEST_SPEED);
  png_set_compression_strategy(png, Z_RLE);
}

}  // namespace

std::string encode_png(const at::Tensor& samples) {
  const bool wide = samples.scalar_type() == at::kInt;
  // int16 holds the bits of a uint16.
  const at::Tensor dense = (wide ? samples.to(at::kShort) : samples).contiguous();
  std::vector<png_bytep> rows = rows_of(dense);
  PngEncoder encoder;
  encoder.attempt([&](png_structp png, png_infop info) {
    set_compression(png);
    png_set_IHDR(png, info, static_cast<png_uint_32>(dense.size(1)),
                 static_cast<png_uint_32>(dense.size(0)), wide ? 16 : 8,
                 dense.dim() == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    if (wide && std::endian::native == std::endian::little) {
      png_set_swap(png);
    }
    png_write_image(png, rows.data());
    png_write_end(png, info);
  });
  return encoder.take_bytes();
}

}  // namespace leaf::data
