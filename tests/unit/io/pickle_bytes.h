#pragma once

#include <caffe2/serialize/inline_container.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "leaf/core/strings.h"

// Checkpoints written opcode by opcode.
namespace leaf::test {

/// A checkpoint with this pickle and the storage "0" of `storage`.
inline void write_checkpoint(const std::filesystem::path& path, const std::string& pickle,
                             const std::string& storage = std::string(16, '\0')) {
  caffe2::serialize::PyTorchStreamWriter writer(path.string());
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  writer.writeRecord("data/0", storage.data(), storage.size());
  writer.writeEndOfFile();
}

template <typename Number>
std::string raw(Number number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}
inline std::string text(const std::string& value) {
  return str("X", raw(static_cast<std::uint32_t>(value.size())), value);
}
inline std::string integer(std::int64_t number) { return str("\x8a\x08", raw(number)); }
inline std::string tuple(const std::vector<std::int64_t>& numbers) {
  std::string code = "(";
  for (const auto number : numbers) {
    code += integer(number);
  }
  return code + "t";
}
inline std::string storage(const std::string& type, std::int64_t count,
                           const std::string& key = "0") {
  return str("(", text("storage"), "ctorch\n", type, "\n", text(key), text("cpu"), integer(count),
             "tQ");
}
inline std::string tensor(const std::string& storage_code, std::int64_t offset,
                          const std::vector<std::int64_t>& sizes,
                          const std::vector<std::int64_t>& strides) {
  return str("ctorch._utils\n_rebuild_tensor_v2\n(", storage_code, integer(offset), tuple(sizes),
             tuple(strides), "\x89NtR");
}
/// Pickle of {"a": value}.
inline std::string dict_of(const std::string& value) {
  return str("\x80\x02}", text("a"), value, "s.");
}

}  // namespace leaf::test
