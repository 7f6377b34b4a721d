#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace leaf {

/// Base of every error that leaf reports. The message is one line: what, where, what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Wrong usage or configuration: unknown key, value out of range, impossible combination.
class ConfigError : public Error {
 public:
  using Error::Error;
};

/// Images, masks or folders that cannot be used.
class DataError : public Error {
 public:
  using Error::Error;
};

/// Weight files that are missing, damaged or of the wrong shape.
class WeightsError : public Error {
 public:
  using Error::Error;
};

/// A file or folder that cannot be read or written.
class FileError : public Error {
 public:
  using Error::Error;
};

/// A file that could not be written because its disk, or the share of it that one may use, is full.
class DiskFullError : public FileError {
 public:
  using FileError::FileError;
};

/// Whether memory, the machine's or a GPU's, did not suffice, by whichever exception.
bool is_out_of_memory(const std::exception& failure);

/// What people are told of an exception: all that our own errors say, in their names for fields
/// (set_field_names), and of other people's the first line, without LibTorch's stack trace.
std::string plain_message(const std::exception& failure);

}  // namespace leaf
