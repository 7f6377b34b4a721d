#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "io/torch_zip.h"
#include "json_util.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "leaf/io/weights.h"
#include "weight_file.h"

namespace leaf::io {
namespace fs = std::filesystem;
namespace {

std::string first_bytes(const fs::path& path) {
  std::string head(64, '\0');
  std::ifstream in(path, std::ios::binary);
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  return head;
}

/// What downloads leave in place of weights.
void refuse_stand_in(const fs::path& path, std::string_view head) {
  if (head.starts_with("version https://git-lfs")) {
    bad_weights(
        path,
        "it is a pointer of Git LFS, which stands for the file: run 'git lfs pull' where it "
        "came from, or download the file itself");
  }
  const bool is_text = head.find('\0') == std::string_view::npos;
  const auto first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (is_text && first != std::string_view::npos && head[first] == '<') {
    bad_weights(path,
                "it is a web page (HTML or XML), as a download without login or from a wrong "
                "address leaves it: open the address in a browser and download the file itself");
  }
}

/// `name` without the parts that torch.compile puts into it.
std::string without_compiled(std::string name) {
  constexpr std::string_view kCompiled = "_orig_mod.";
  for (auto at = name.find(kCompiled); at != std::string::npos; at = name.find(kCompiled, at)) {
    if (at == 0 || name[at - 1] == '.') {
      name.erase(at, kCompiled.size());
    } else {
      at += kCompiled.size();
    }
  }
  return name;
}

/// The names of the networks themselves, which torch.compile ("_orig_mod.") and data-parallel
/// training ("module." before all of them) wrap.
TensorMap unwrapped(const TensorMap& tensors) {
  constexpr std::string_view kParallel = "module.";
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) {
    renamed.emplace(without_compiled(name), tensor);
  }
  if (renamed.size() < tensors.size()) {  // two of one name: then they mean something
    return tensors;
  }
  const bool parallel =
      !renamed.empty() && std::all_of(renamed.begin(), renamed.end(), [&](const auto& item) {
        return item.first.starts_with(kParallel);
      });
  return parallel ? unwrapped(strip_prefix(renamed, kParallel)) : renamed;
}

/// Far more than the names of any network's tensors take.
constexpr std::uint64_t kLargestIndex = std::uint64_t{64} << 20;

/// File name of each tensor, checked to lie beside the index.
std::map<std::string, std::string> read_weight_map(const fs::path& index) {
  if (weight_file_size(index) > kLargestIndex) {
    bad_weights(index, "it is too large for the index of a sharded model (64 MiB)");
  }
  const auto content = parse_json_object(read_file(index), index);
  if (!content.contains("weight_map") || !content["weight_map"].is_object()) {
    bad_weights(index, "it is not the index of a sharded model (no weight_map)");
  }
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : content["weight_map"].items()) {
    if (!file.is_string() ||
        fs::path(file.get<std::string>()).filename() != file.get<std::string>()) {
      bad_weights(index, str("the file of '", printable(name), "' is not a plain file name"));
    }
    files.emplace(name, file.get<std::string>());
  }
  return files;
}

TensorMap read_sharded(const fs::path& index) {
  std::map<std::string, TensorMap> shards;
  TensorMap tensors;
  for (const auto& [name, file] : read_weight_map(index)) {
    const fs::path path = index.parent_path() / file;
    const auto [shard, is_new] = shards.try_emplace(file);
    if (is_new) {
      shard->second = read_safetensors(path);
    }
    const auto found = shard->second.find(name);
    if (found == shard->second.end()) {
      bad_weights(path,
                  str("it lacks '", printable(name), "', which '", index.string(), "' puts there"));
    }
    tensors.insert(*found);
  }
  return tensors;
}

TensorMap read_folder(const fs::path& folder) {
  for (const std::string& name :
       {str(kDiffusersWeights), str(kTransformersWeights), str(kDiffusersWeights, ".index.json"),
        str(kTransformersWeights, ".index.json"), str("diffusion_pytorch_model.bin"),
        str("pytorch_model.bin")}) {
    std::error_code ignored;
    if (fs::exists(folder / name, ignored)) {
      return read_weights(folder / name);
    }
  }
  bad_weights(folder, str("the folder has neither ", kDiffusersWeights, " nor ",
                          kTransformersWeights, " nor an index or .bin file of one"));
}

TensorMap read_file_of_weights(const fs::path& path) {
  weight_file_size(path);
  const std::string head = first_bytes(path);
  refuse_stand_in(path, head);
  if (path.extension() == ".json") {
    return read_sharded(path);
  }
  if (head.starts_with("PK")) {
    return read_torch_zip(path);
  }
  if (path.extension() == ".safetensors" || head.substr(0, 9).ends_with('{')) {
    return read_safetensors(path);
  }
  if (head.starts_with("\x80\x02\x8a\x0a")) {
    bad_weights(path,
                "it has PyTorch's format before version 1.6: load it in Python and save it again");
  }
  bad_weights(path,
              "expected a safetensors file, the index.json of one in shards, or a PyTorch zip "
              "checkpoint (.pth, .pt, .ckpt, .bin)");
}

}  // namespace

TensorMap read_weights(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored) ? read_folder(path)
                                         : unwrapped(read_file_of_weights(path));
}

}  // namespace leaf::io
