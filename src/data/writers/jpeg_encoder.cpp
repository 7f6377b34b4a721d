// jpeglib.h needs what it does not include.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include <ATen/ATen.h>

#include <csetjmp>
#include <cstdlib>
#include <string>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"

namespace leaf::data {
namespace {

/// Encodes into memory with libjpeg's own settings (accurate integer DCT, colour at half the size).
/// libjpeg leaves its calls by longjmp when something is wrong: they stand in `attempt`, in
/// functions whose variables need no destructor.
class JpegEncoder {
 public:
  JpegEncoder() {
    jpeg_.err = jpeg_std_error(&errors_);
    jpeg_.client_data = this;
    errors_.error_exit = &JpegEncoder::on_error;
    attempt([&](jpeg_compress_struct& jpeg) {
      jpeg_create_compress(&jpeg);
      jpeg_mem_dest(&jpeg, &bytes_, &count_);
    });
  }
  ~JpegEncoder() {
    jpeg_destroy_compress(&jpeg_);
    std::free(bytes_);  // NOLINT(cppcoreguidelines-no-malloc): libjpeg's own
  }
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;

  template <typename Step>
  void attempt(const Step& step) {
    if (setjmp(jump_) != 0) {  // NOLINT(cert-err52-cpp): libjpeg's way
      bytes_ = nullptr;  // libjpeg may have freed it and not said so: rather lost than freed twice
      throw Error(str("cannot encode a JPEG picture: libjpeg: ", message_));
    }
    step(jpeg_);
  }

  std::string bytes() const { return {reinterpret_cast<const char*>(bytes_), count_}; }

 private:
  static void on_error(j_common_ptr common) {
    auto* encoder = static_cast<JpegEncoder*>(common->client_data);
    common->err->format_message(common, encoder->message_);
    std::longjmp(encoder->jump_, 1);
  }

  jpeg_compress_struct jpeg_ = {};
  jpeg_error_mgr errors_ = {};
  std::jmp_buf jump_ = {};
  char message_[JMSG_LENGTH_MAX] = {};
  unsigned char* bytes_ = nullptr;
  unsigned long count_ = 0;  // NOLINT(google-runtime-int): libjpeg's type
};

void set_options(jpeg_compress_struct& jpeg, const at::Tensor& image, int quality) {
  const bool colour = image.dim() == 3;
  jpeg.image_height = static_cast<JDIMENSION>(image.size(0));
  jpeg.image_width = static_cast<JDIMENSION>(image.size(1));
  jpeg.input_components = colour ? 3 : 1;
  jpeg.in_color_space = colour ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
}

}  // namespace

std::string encode_jpeg(const at::Tensor& image, int quality) {
  const at::Tensor dense = image.contiguous();
  auto* row = static_cast<JSAMPROW>(dense.data_ptr());
  JpegEncoder encoder;
  encoder.attempt([&](jpeg_compress_struct& jpeg) {
    set_options(jpeg, dense, quality);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) {
      jpeg_write_scanlines(&jpeg, &row, 1);
      row += dense.stride(0);
    }
    jpeg_finish_compress(&jpeg);
  });
  return encoder.bytes();
}

}  // namespace leaf::data
