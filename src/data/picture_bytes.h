#pragma once

#include <c10/util/Exception.h>

#include <filesystem>
#include <new>
#include <string>
#include <string_view>

namespace leaf::data {

/// A picture's file; throws DataError for one that is missing, a folder, empty or cannot be read.
std::string read_picture_bytes(const std::filesystem::path& path);

[[noreturn]] void fail_to_read(const std::string& name, std::string_view reason);

/// Runs `action`; what goes wrong with memory in it becomes a DataError that names the image.
template <typename Action>
auto name_memory_errors(const std::string& name, const Action& action) {
  constexpr const char* kReason = "it is too large for the memory; shrink it";
  try {
    return action();
  } catch (const std::bad_alloc&) {
    fail_to_read(name, kReason);
  } catch (const c10::Error&) {  // LibTorch's, for the same
    fail_to_read(name, kReason);
  }
}

/// What bytes that no reader takes are: "a GIF picture; convert it to PNG".
std::string describe_foreign(std::string_view bytes);

}  // namespace leaf::data
