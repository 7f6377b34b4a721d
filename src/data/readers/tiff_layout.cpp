#include "tiff_layout.h"

#include "leaf/core/strings.h"
#include "reader.h"

namespace leaf::data {
namespace {

/// Where the tag is missing, the usual meaning of so many samples.
std::uint16_t photometric_of(const TiffFile& file, const TiffLayout& layout) {
  std::uint16_t stated = 0;
  if (TIFFGetField(file.handle(), TIFFTAG_PHOTOMETRIC, &stated) != 0) {
    return stated;
  }
  const bool fax =
      layout.compression == COMPRESSION_CCITTRLE || layout.compression == COMPRESSION_CCITTRLEW ||
      layout.compression == COMPRESSION_CCITTFAX3 || layout.compression == COMPRESSION_CCITTFAX4;
  if (fax) {
    return PHOTOMETRIC_MINISWHITE;
  }
  return layout.samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
}

/// Colour samples of a pixel; throws DataError for the kinds that are not read.
std::int64_t colours_of(std::uint16_t photometric) {
  switch (photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_PALETTE:
      return 1;
    case PHOTOMETRIC_RGB:
    case PHOTOMETRIC_YCBCR:
    case PHOTOMETRIC_CIELAB:
      return 3;
    case PHOTOMETRIC_SEPARATED:
      return 4;
    case PHOTOMETRIC_MASK:
      refuse_unread("transparency masks in TIFF");
    case PHOTOMETRIC_CFA:
      refuse_unread("raw camera data (CFA) in TIFF");
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB:
      refuse_unread("ICC and ITU L*a*b* colours in TIFF");
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV:
      refuse_unread("LogLuv colours in TIFF");
    default:
      refuse_unread(str("TIFF pictures with photometric interpretation ", photometric));
  }
}

SampleType type_of(const TiffFile& file) {
  SampleType type;
  type.bits = file.field<std::uint16_t>(TIFFTAG_BITSPERSAMPLE);
  const auto format = file.field<std::uint16_t>(TIFFTAG_SAMPLEFORMAT);
  const bool whole = type.bits == 8 || type.bits == 16 || type.bits == 32;
  switch (format) {
    case SAMPLEFORMAT_UINT:
    case SAMPLEFORMAT_VOID:
      if (type.bits >= 1 && (type.bits <= 16 || whole)) {
        return type;
      }
      break;
    case SAMPLEFORMAT_INT:
      type.kind = SampleKind::kSigned;
      if (whole) {
        return type;
      }
      break;
    case SAMPLEFORMAT_IEEEFP:
      type.kind = SampleKind::kFloat;
      if (type.bits == 16 || type.bits == 32 || type.bits == 64) {
        return type;
      }
      break;
    default:
      refuse_unread("complex samples in TIFF");
  }
  const char* kind = format == SAMPLEFORMAT_IEEEFP ? "floating-point "
                     : format == SAMPLEFORMAT_INT  ? "signed "
                                                   : "";
  refuse_unread(str(kind, "samples of ", type.bits, " bits in TIFF"));
}

void check_compression(std::uint16_t compression) {
  if (TIFFIsCODECConfigured(compression) == 0) {
    const TIFFCodec* codec = TIFFFindCODEC(compression);
    refuse_unread(str("TIFF pictures with compression ", compression,
                      codec == nullptr ? "" : str(" (", codec->name, ")")));
  }
}

/// Only grey and RGB have samples of every type.
void check_type(const TiffLayout& layout) {
  const bool plain =
      layout.photometric == PHOTOMETRIC_MINISBLACK || layout.photometric == PHOTOMETRIC_RGB;
  const SampleType& type = layout.type;
  if (!plain && type.kind != SampleKind::kUnsigned) {
    refuse_unread("signed and floating-point samples in TIFF other than grey and RGB");
  }
  if (layout.photometric == PHOTOMETRIC_MINISWHITE && type.bits == 32) {
    refuse_unread("min-is-white samples of 32 bits in TIFF");
  }
  if (layout.photometric == PHOTOMETRIC_PALETTE && type.bits > 8) {
    refuse_unread(str("TIFF palettes of ", type.bits, " bits"));
  }
  if (layout.photometric == PHOTOMETRIC_SEPARATED && type.bits != 8 && type.bits != 16) {
    refuse_unread(str("TIFF inks of ", type.bits, " bits"));
  }
  if (layout.converted && type.bits != 8) {
    refuse_unread(str("YCbCr and L*a*b* colours of ", type.bits, " bits in TIFF"));
  }
}

void check_samples(const TiffFile& file, const TiffLayout& layout, std::int64_t colours) {
  const bool extra_fits = layout.photometric != PHOTOMETRIC_PALETTE;
  if (layout.samples != colours && !(extra_fits && layout.samples == colours + 1)) {
    refuse_unread(str("TIFF pictures with ", layout.samples, " samples a pixel, ", colours,
                      " of them colours,"));
  }
  if (layout.photometric == PHOTOMETRIC_SEPARATED &&
      file.field<std::uint16_t>(TIFFTAG_INKSET) != INKSET_CMYK) {
    refuse_unread("TIFF inks other than CMYK");
  }
}

}  // namespace

TiffLayout describe_tiff(const TiffFile& file, const PictureLimits& limits) {
  TiffLayout layout;
  layout.width = file.field<std::uint32_t>(TIFFTAG_IMAGEWIDTH);
  layout.height = file.field<std::uint32_t>(TIFFTAG_IMAGELENGTH);
  check_size(layout.width, layout.height, limits);
  layout.compression = file.field<std::uint16_t>(TIFFTAG_COMPRESSION);
  check_compression(layout.compression);
  layout.samples = file.field<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL);
  layout.planar = layout.samples > 1 &&
                  file.field<std::uint16_t>(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE;
  layout.photometric = photometric_of(file, layout);
  layout.type = type_of(file);
  const std::int64_t colours = colours_of(layout.photometric);
  check_samples(file, layout, colours);
  layout.alpha = layout.samples == colours + 1;
  const bool ycbcr = layout.photometric == PHOTOMETRIC_YCBCR;
  const bool jpeg_converts = ycbcr && layout.compression == COMPRESSION_JPEG && !layout.planar;
  if (jpeg_converts) {
    TIFFSetField(file.handle(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }
  layout.converted = (ycbcr && !jpeg_converts) || layout.photometric == PHOTOMETRIC_CIELAB ||
                     layout.compression == COMPRESSION_OJPEG;
  check_type(layout);
  return layout;
}

}  // namespace leaf::data
