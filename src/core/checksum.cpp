#include "core/checksum.h"

#include <zlib.h>

#include <iomanip>
#include <sstream>

#include "leaf/core/files.h"

namespace leaf {
namespace {

uLong extended(uLong crc, std::string_view bytes) {
  return ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
}

std::string text_of(uLong crc) {
  std::ostringstream text;
  text << "crc32:" << std::hex << std::setw(8) << std::setfill('0') << crc;
  return text.str();
}

}  // namespace

std::string checksum(std::string_view bytes) { return text_of(extended(0, bytes)); }

std::string file_checksum(const std::filesystem::path& path) {
  uLong crc = 0;
  read_pieces(path, [&](std::string_view piece) { crc = extended(crc, piece); });
  return text_of(crc);
}

}  // namespace leaf
