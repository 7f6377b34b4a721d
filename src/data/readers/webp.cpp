#include <webp/decode.h>
#include <webp/demux.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "data/exif.h"
#include "leaf/core/strings.h"
#include "reader.h"

namespace leaf::data {
namespace {

const char* words_of(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "libwebp: out of memory";
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return "libwebp: the file ends early";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "libwebp: an unsupported feature";
    default:
      return "libwebp: not a valid bitstream";
  }
}

void require(VP8StatusCode status) {
  if (status != VP8_STATUS_OK) {
    refuse_damaged(words_of(status));
  }
}

int orientation_of(std::string_view bytes) {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> file(WebPDemux(&data),
                                                                      &WebPDemuxDelete);
  WebPChunkIterator chunk;
  if (!file || WebPDemuxGetChunk(file.get(), "EXIF", 1, &chunk) == 0) {
    return 1;
  }
  const int orientation =
      exif_orientation({reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size});
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

Picture decode_webp(std::string_view bytes, const PictureLimits& limits) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0) {
    refuse_unread("pictures of this version of WebP");
  }
  require(WebPGetFeatures(data, bytes.size(), &config.input));
  check_size(config.input.width, config.input.height, limits);
  if (config.input.has_animation != 0) {
    refuse_unread("animated WebP pictures");
  }
  Picture picture;
  picture.format = PictureFormat::kWebp;
  picture.alpha = config.input.has_alpha != 0;
  constexpr int kLossless = 2;
  picture.lossy = config.input.format != kLossless;
  picture.samples =
      new_samples(config.input.height, config.input.width, picture.alpha ? 4 : 3, at::kByte);
  config.output.colorspace = picture.alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = picture.samples.mutable_data_ptr<std::uint8_t>();
  config.output.u.RGBA.stride = static_cast<int>(picture.samples.stride(0));
  config.output.u.RGBA.size = picture.samples.nbytes();
  require(WebPDecode(data, bytes.size(), &config));
  picture.geometry.orientation = orientation_of(bytes);
  return picture;
}

}  // namespace

Reader webp_reader() {
  return {{".webp"},
          [](std::string_view bytes) {
            return bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP");
          },
          &decode_webp};
}

}  // namespace leaf::data
