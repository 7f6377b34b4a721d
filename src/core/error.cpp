#include "leaf/core/error.h"

#include <c10/util/Exception.h>

#include <filesystem>
#include <new>
#include <string_view>

#include "leaf/core/field_names.h"

namespace leaf {

bool is_out_of_memory(const std::exception& failure) {
  if (const auto* torch = dynamic_cast<const c10::Error*>(&failure)) {
    const std::string_view text = torch->what_without_backtrace();
    return dynamic_cast<const c10::OutOfMemoryError*>(torch) != nullptr ||
           text.find("DefaultCPUAllocator: ") !=
               std::string_view::npos;  // it has no class of its own
  }
  return dynamic_cast<const std::bad_alloc*>(&failure) != nullptr;
}

std::string plain_message(const std::exception& failure) {
  if (const auto* own = dynamic_cast<const Error*>(&failure)) {
    return with_field_names(own->what());
  }
  if (const auto* path = dynamic_cast<const std::filesystem::filesystem_error*>(&failure)) {
    return "'" + path->path1().string() + "': " + path->code().message();
  }
  if (is_out_of_memory(failure)) {
    return "out of memory; use a smaller batch or resolution";
  }
  const auto* torch = dynamic_cast<const c10::Error*>(&failure);
  const std::string text = torch != nullptr ? torch->what_without_backtrace() : failure.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace leaf
