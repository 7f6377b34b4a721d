#include <ATen/ATen.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "json_util.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "safetensors_format.h"
#include "weight_file.h"

namespace leaf::io {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// Checked writing to a file descriptor; `path` is the name that messages give.
class Output {
 public:
  Output(const fs::path& file, const fs::path& path) : path_(path) {
    descriptor_ = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    check(descriptor_ >= 0);
  }
  ~Output() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(const void* data, std::size_t size) {
    const char* next = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(descriptor_, next, size);
      if (written < 0 && errno == EINTR) {
        continue;
      }
      check(written >= 0);
      next += written;
      size -= static_cast<std::size_t>(written);
    }
  }

  void close() {
    check(::fsync(descriptor_) == 0);
    const int descriptor = std::exchange(descriptor_, -1);
    check(::close(descriptor) == 0);
  }

 private:
  void check(bool fine) const {
    if (!fine) {
      throw_cannot_write(path_, errno);
    }
  }

  const fs::path& path_;
  int descriptor_ = -1;
};

std::string_view dtype_name(const std::string& name, const at::Tensor& tensor) {
  const bool is_plain = tensor.defined() && tensor.layout() == at::kStrided;
  const auto* const found = std::find_if(
      kDtypes.begin(), kDtypes.end(),
      [&](const DtypeName& known) { return is_plain && known.dtype == tensor.scalar_type(); });
  if (found == kDtypes.end()) {
    throw WeightsError(str("cannot store tensor '", printable(name), "' in a safetensors file: ",
                           !tensor.defined() ? "undefined"
                           : is_plain        ? c10::toString(tensor.scalar_type())
                                             : "sparse"));
  }
  return found->name;
}

/// Wide items first, then by name, so that everything in the file is aligned for its type.
std::vector<TensorMap::const_iterator> storage_order(const TensorMap& tensors) {
  std::vector<TensorMap::const_iterator> order;
  for (auto it = tensors.begin(); it != tensors.end(); ++it) {
    if (it->first == kMetadataKey) {
      throw WeightsError(str("no tensor of a safetensors file can be named '", kMetadataKey, "'"));
    }
    dtype_name(it->first, it->second);
    order.push_back(it);
  }
  std::stable_sort(order.begin(), order.end(), [](auto a, auto b) {
    return a->second.element_size() > b->second.element_size();
  });
  return order;
}

std::string make_header(const std::vector<TensorMap::const_iterator>& order) {
  Json header = {{kMetadataKey, {{"format", "pt"}}}};
  std::uint64_t position = 0;
  for (const auto& item : order) {
    const auto& [name, tensor] = *item;
    const std::uint64_t end = position + tensor.nbytes();
    header[name] = {{"dtype", dtype_name(name, tensor)},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {position, end}}};
    position = end;
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const Json::exception& error) {
    throw WeightsError(
        str("cannot store these names in a safetensors file: ", printable(error.what())));
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

void write_safetensors(const fs::path& path, const TensorMap& tensors) {
  const auto order = storage_order(tensors);
  const std::string header = make_header(order);
  const std::uint64_t length = header.size();
  replace_file(path, [&](const fs::path& temporary) {
    Output out(temporary, path);
    out.write(&length, kLengthBytes);
    out.write(header.data(), header.size());
    for (const auto& item : order) {
      const at::Tensor plain = item->second.detach().to(at::kCPU).contiguous();
      out.write(plain.const_data_ptr(), plain.nbytes());
    }
    out.close();
  });
}

}  // namespace leaf::io
