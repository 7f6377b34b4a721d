// jpeglib.h needs what it does not include, jerror.h needs jpeglib.h.
// clang-format off
#include <string_view>
#include <cstdint>
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>
#include <cstring>
#include <string>

#include "data/exif.h"
#include "leaf/core/strings.h"
#include "reader.h"

namespace leaf::data {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;

/// Warnings of libjpeg that leave every pixel as it was written. The end marker may be missing:
/// when data are missing too, another warning says so.
bool is_harmless(int code) {
  return code == JWRN_JPEG_EOF || code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM ||
         code == JWRN_NOT_SEQUENTIAL || code == JWRN_JFIF_MAJOR || code == JWRN_BOGUS_ICC;
}

/// Errors of libjpeg about files that are in order.
bool is_unread(int code) {
  return code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION ||
         code == JERR_CONVERSION_NOTIMPL || code == JERR_ARITH_NOTIMPL ||
         code == JERR_COMPONENT_COUNT || code == JERR_CCIR601_NOTIMPL;
}

/// Decodes from memory with the settings that are libjpeg's own (accurate integer DCT, smooth
/// upsampling). libjpeg leaves its calls by longjmp when something is wrong: they stand in
/// `attempt`, in functions whose variables need no destructor.
class JpegFile {
 public:
  explicit JpegFile(std::string_view bytes) {
    jpeg_.err = jpeg_std_error(&errors_);
    jpeg_.client_data = this;
    errors_.error_exit = &JpegFile::on_error;
    errors_.emit_message = &JpegFile::on_warning;
    progress_.progress_monitor = &JpegFile::on_progress;
    attempt([&](jpeg_decompress_struct& jpeg) {
      jpeg_create_decompress(&jpeg);
      jpeg.progress = &progress_;
      jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      jpeg_save_markers(&jpeg, kExifMarker, 0xFFFF);
    });
  }
  ~JpegFile() { jpeg_destroy_decompress(&jpeg_); }
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  template <typename Step>
  void attempt(const Step& step) {
    if (setjmp(jump_) != 0) {  // NOLINT(cert-err52-cpp): libjpeg's way
      if (is_unread(errors_.msg_code)) {
        refuse_unread(str("JPEG pictures of this kind (libjpeg: ", message_, ")"));
      }
      refuse_damaged(str("libjpeg: ", message_));
    }
    step(jpeg_);
  }

  /// Refuses the file when a warning meant that pixels are not what was written.
  void check_warnings() const {
    if (message_[0] != '\0') {
      refuse_damaged(str("libjpeg: ", message_));
    }
  }

  const jpeg_decompress_struct& jpeg() const { return jpeg_; }

 private:
  static void on_error(j_common_ptr common) {
    auto* file = static_cast<JpegFile*>(common->client_data);
    common->err->format_message(common, file->message_);
    std::longjmp(file->jump_, 1);
  }

  static void on_warning(j_common_ptr common, int level) {
    auto* file = static_cast<JpegFile*>(common->client_data);
    const bool is_warning = level < 0;  // the others are traces
    if (is_warning && file->message_[0] == '\0' && !is_harmless(common->err->msg_code)) {
      common->err->format_message(common, file->message_);
    }
  }

  /// A small file of thousands of scans would take hours: each goes over the whole picture.
  static void on_progress(j_common_ptr common) {
    constexpr int kMostScans = 500;
    auto* file = static_cast<JpegFile*>(common->client_data);
    if (file->jpeg_.input_scan_number > kMostScans) {
      std::strcpy(file->message_, "more than 500 scans");
      std::longjmp(file->jump_, 1);
    }
  }

  jpeg_decompress_struct jpeg_ = {};
  jpeg_error_mgr errors_ = {};
  jpeg_progress_mgr progress_ = {};
  std::jmp_buf jump_ = {};
  char message_[JMSG_LENGTH_MAX] = {};
};

/// A file of several scans may end between two of them without a warning of libjpeg's.
void check_scans(const jpeg_decompress_struct& jpeg) {
  for (int i = 0; i < jpeg.num_components; ++i) {
    bool complete = jpeg.comp_info[i].quant_table != nullptr;  // set by its first scan
    for (int k = 0; jpeg.progressive_mode != 0 && k < DCTSIZE2; ++k) {
      complete = complete && jpeg.coef_bits[i][k] == 0;
    }
    if (!complete) {
      refuse_damaged("its last scans are missing");
    }
  }
}

/// Four inks -> RGB, in place of the first three. Adobe's programs store them inverted, others do
/// not.
void ink_to_rgb(const at::Tensor& inks, bool inverted, at::Tensor& rgb) {
  const auto* ink = inks.const_data_ptr<std::uint8_t>();
  auto* out = rgb.mutable_data_ptr<std::uint8_t>();
  const int turn = inverted ? 0 : 255;
  for (const auto* end = ink + inks.numel(); ink != end; ink += 4) {
    const int white = ink[3] ^ turn;
    for (int c = 0; c < 3; ++c) {
      *out++ = static_cast<std::uint8_t>(white - ((255 - (ink[c] ^ turn)) * white >> 8));
    }
  }
}

PictureGeometry geometry_of(const jpeg_decompress_struct& jpeg) {
  PictureGeometry geometry;
  for (const auto* marker = jpeg.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (marker->marker == kExifMarker && is_exif_block(data)) {
      geometry.orientation = exif_orientation(data);
      break;
    }
  }
  constexpr double kInch = 25.4;
  constexpr double kCentimetre = 10;
  if (jpeg.saw_JFIF_marker != 0 && (jpeg.density_unit == 1 || jpeg.density_unit == 2)) {
    const double unit = jpeg.density_unit == 1 ? kInch : kCentimetre;
    geometry.row_spacing = spacing_of(jpeg.Y_density, unit);
    geometry.column_spacing = spacing_of(jpeg.X_density, unit);
  }
  return geometry;
}

Picture decode_jpeg(std::string_view bytes, const PictureLimits& limits) {
  JpegFile file(bytes);
  file.attempt([](jpeg_decompress_struct& jpeg) { jpeg_read_header(&jpeg, TRUE); });
  const jpeg_decompress_struct& header = file.jpeg();
  check_size(header.image_width, header.image_height, limits);
  const bool inks = header.num_components == 4;
  const bool grey = header.jpeg_color_space == JCS_GRAYSCALE;
  at::Tensor samples =
      new_samples(header.image_height, header.image_width, inks ? 4 : (grey ? 1 : 3), at::kByte);
  auto* row = samples.mutable_data_ptr<std::uint8_t>();
  const std::int64_t row_bytes = samples.size(1) * samples.size(2);
  file.attempt([=](jpeg_decompress_struct& jpeg) {
    jpeg.out_color_space = inks ? JCS_CMYK : (grey ? JCS_GRAYSCALE : JCS_RGB);
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
      JSAMPROW target = row + jpeg.output_scanline * row_bytes;
      jpeg_read_scanlines(&jpeg, &target, 1);
    }
  });
  file.check_warnings();
  check_scans(header);
  Picture picture;
  picture.format = PictureFormat::kJpeg;
  picture.lossy = true;
  picture.geometry = geometry_of(header);
  picture.samples = samples;
  if (inks) {
    picture.samples = new_samples(samples.size(0), samples.size(1), 3, at::kByte);
    ink_to_rgb(samples, header.saw_Adobe_marker != 0, picture.samples);
  }
  return picture;
}

}  // namespace

Reader jpeg_reader() {
  return {{".jpg", ".jpeg"},
          [](std::string_view bytes) { return bytes.starts_with("\xFF\xD8\xFF"); },
          &decode_jpeg};
}

}  // namespace leaf::data
