#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace leaf::data::dicom {

/// How a data set's elements are written.
struct Encoding {
  bool implicit = false;  ///< without value representations
  bool big_endian = false;
};

/// A file's beginning: what the group "file meta information" says, and where it ends.
struct FileStart {
  std::string transfer_syntax;  ///< a UID
  std::size_t data_set = 0;     ///< where it begins, in bytes
};

/// True for files that begin with a preamble and "DICM".
bool has_preamble(std::string_view bytes);

/// The same for a regular file, whatever its name; a DICOMDIR, which lists others, is none.
bool is_dicom_file(const std::filesystem::path& path);

/// Throws DataError for a file that ends early or states no transfer syntax.
FileStart read_start(std::string_view bytes);

/// Follows a data set from element to element, without looking at values: DCMTK believes lengths
/// and recurses into sequences, as deep as a file asks for. Throws DataError where an element is
/// longer than what holds it, of a representation that the standard does not know, nested deeper
/// than 64 items, and for more than a million elements. -> the bytes that the data set takes,
/// padding behind it left out.
std::size_t check_structure(std::string_view data_set, const Encoding& encoding);

}  // namespace leaf::data::dicom
