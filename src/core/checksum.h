#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace leaf {

/// The CRC-32 of the bytes (zlib's, the one of zip archives), as in "crc32:cbf43926".
std::string checksum(std::string_view bytes);

/// The same of a whole file, read in pieces. Throws FileError as read_file().
std::string file_checksum(const std::filesystem::path& path);

}  // namespace leaf
