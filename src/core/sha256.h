#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace leaf {

/// The SHA-256 of bytes, as 64 hexadecimal digits.
std::string sha256(std::string_view bytes);

/// The SHA-256 of a file's content, as `sha256sum` prints it, read piece by piece. Throws FileError
/// for what is no regular file and when it cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace leaf
