#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "leaf/core/strings.h"
#include "picture_bytes.h"
#include "readers/reader.h"

namespace leaf::data {
namespace {

using std::string_view_literals::operator""sv;

struct Foreign {
  std::size_t offset;
  std::string_view bytes;
  std::string_view what;
};

constexpr std::string_view kToPng = "; convert it to PNG";

constexpr std::array kPictures = {
    Foreign{0, "GIF8"sv, "a GIF picture"},
    Foreign{0, "\0\0\0\x0CjP  "sv, "a JPEG 2000 picture"},
    Foreign{0, "\xFF\x4F\xFF\x51"sv, "a JPEG 2000 picture"},
    Foreign{0, "\0\0\0\x0CJXL "sv, "a JPEG XL picture"},
    Foreign{0, "\xFF\x0A"sv, "a JPEG XL picture"},
    Foreign{4, "ftypheic"sv, "a HEIC picture"},
    Foreign{4, "ftypmif1"sv, "a HEIC picture"},
    Foreign{4, "ftypavif"sv, "an AVIF picture"},
    Foreign{0, "8BPS"sv, "a Photoshop document"},
    Foreign{0, "\x76\x2F\x31\x01"sv, "an OpenEXR picture"},
    Foreign{0, "#?RADIANCE"sv, "a Radiance HDR picture"},
    Foreign{0, "DDS "sv, "a DDS texture"},
    Foreign{0, "\x59\xA6\x6A\x95"sv, "a Sun raster picture"},
    Foreign{0, "\0\0\x01\0"sv, "an icon"},
    Foreign{0, "<svg"sv, "an SVG drawing"},
    Foreign{0, "%PDF"sv, "a PDF document"},
    Foreign{344, "n+1\0"sv, "a NIfTI volume"},
    Foreign{344, "ni1\0"sv, "a NIfTI volume"},
    Foreign{4, "n+2\0"sv, "a NIfTI volume"},
    Foreign{0, "NRRD"sv, "an NRRD volume"},
    Foreign{0, "ObjectType"sv, "a MetaImage volume"},
    Foreign{0, "\x89HDF"sv, "an HDF5 or MATLAB file"},
    Foreign{0, "MATLAB"sv, "a MATLAB file"},
    Foreign{0, "\x93NUMPY"sv, "a NumPy array"},
};

constexpr std::array kOthers = {
    Foreign{0, "\x1F\x8B"sv,
            "compressed with gzip (a NIfTI volume?); unpack it and convert it to PNG"},
    Foreign{0, "PK\x03\x04"sv, "a ZIP archive; unpack it"},
    Foreign{0, "version https://git-lfs"sv,
            "a pointer of Git LFS; fetch the file itself (git lfs pull)"},
    Foreign{0, "<!DOCTYPE"sv, "a web page; download the picture again"},
    Foreign{0, "<html"sv, "a web page; download the picture again"},
};

bool fits(const Foreign& row, std::string_view bytes) {
  return bytes.size() > row.offset && bytes.substr(row.offset).starts_with(row.bytes);
}

/// PBM, PGM, PPM, PAM and PFM: a P, a digit or F, and white space.
bool is_netpbm(std::string_view bytes) {
  return bytes.size() > 2 && bytes[0] == 'P' && "1234567Ff"sv.find(bytes[1]) != bytes.npos &&
         " \t\n\r"sv.find(bytes[2]) != bytes.npos;
}

std::string known_formats() {
  std::vector<std::string> names;
  for (const auto& [format, name] : enum_names(PictureFormat{})) {
    names.push_back(name);
  }
  const std::string last = names.back();
  names.pop_back();
  return str(join(names, ", "), " or ", last);
}

}  // namespace

std::string describe_foreign(std::string_view bytes) {
  for (const Foreign& row : kPictures) {
    if (fits(row, bytes)) {
      return str("it is ", row.what, kToPng);
    }
  }
  for (const Foreign& row : kOthers) {
    if (fits(row, bytes)) {
      return str("it is ", row.what);
    }
  }
  if (is_netpbm(bytes)) {
    return str("it is a PGM or PPM (Netpbm) picture", kToPng);
  }
  return str("not an image in ", known_formats(), " format, or damaged");
}

}  // namespace leaf::data
