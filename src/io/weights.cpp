#include "leaf/io/weights.h"

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

#include "io/torch_zip.h"
#include "json_util.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "weight_file.h"

namespace leaf::io {
namespace {

namespace fs = std::filesystem;

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
  const auto first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first != std::string_view::npos && head[first] == '<') {
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

/// Tensors that do not fit, by what is wrong with them.
using Problems = std::vector<std::pair<std::string, std::vector<std::string>>>;

Problems find_problems(const TensorMap& wanted, const TensorMap& given) {
  std::vector<std::string> missing;
  std::vector<std::string> unexpected;
  std::vector<std::string> misshapen;
  for (const auto& [name, tensor] : wanted) {
    const auto found = given.find(name);
    if (found == given.end()) {
      missing.push_back(name);
    } else if (found->second.sizes() != tensor.sizes()) {
      misshapen.push_back(str(name, ": ", shape_text(found->second.sizes()), " instead of ",
                              shape_text(tensor.sizes())));
    }
  }
  for (const auto& [name, tensor] : given) {
    if (!wanted.contains(name)) {
      unexpected.push_back(printable(name));
    }
  }
  return {{"missing", missing}, {"unexpected", unexpected}, {"of another shape", misshapen}};
}

/// "2 missing (a, b)"; the first five names stand for all.
std::string summary(const std::string& what, std::vector<std::string> names) {
  constexpr std::size_t kShown = 5;
  const std::size_t count = names.size();
  if (count > kShown) {
    names.resize(kShown);
    names.emplace_back("...");
  }
  return str(count, " ", what, " (", join(names, ", "), ")");
}

void require_match(const TensorMap& wanted, const TensorMap& given, const std::string& source) {
  std::vector<std::string> summaries;
  std::vector<std::string> details;
  for (const auto& [what, names] : find_problems(wanted, given)) {
    for (const std::string& name : names) {
      details.push_back(str(what, ": ", name));
    }
    if (!names.empty()) {
      summaries.push_back(summary(what, names));
    }
  }
  if (!details.empty()) {
    throw WeightsMismatch(
        str("the weights in '", source, "' do not fit the model: ", join(summaries, ", ")),
        details);
  }
}

/// True when every number is finite. The sum says so in one pass without a copy; only where it
/// overflows are the numbers looked at one by one.
bool is_finite(const at::Tensor& tensor) {
  return std::isfinite(tensor.sum(at::kFloat).item<float>()) ||
         at::isfinite(tensor).all().item<bool>();
}

/// Whether numbers of this type are weights. Whole numbers and those of 8 bits are quantised, which
/// mean nothing without their scale.
bool holds_weights(at::ScalarType type) {
  return type == at::kFloat || type == at::kHalf || type == at::kBFloat16 || type == at::kDouble;
}

void require_weights(const at::Tensor& target, const at::Tensor& tensor, const std::string& name,
                     const std::string& source) {
  if (target.is_floating_point() && !holds_weights(tensor.scalar_type())) {
    throw WeightsError(str("the tensor '", name, "' in '", source, "' holds ",
                           c10::toString(tensor.scalar_type()),
                           " numbers; floating-point weights are needed"));
  }
}

/// Numbers that would make every result worthless.
void require_finite(const at::Tensor& tensor, const std::string& name, const std::string& source) {
  if (tensor.is_floating_point() && !is_finite(tensor)) {
    throw WeightsError(str("the tensor '", name, "' in '", source,
                           "' holds numbers that are not finite (NaN or infinity); take another "
                           "copy of the file, or an earlier checkpoint"));
  }
}

}  // namespace

namespace {

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

void load_parameters(torch::nn::Module& module, const TensorMap& tensors,
                     const std::string& source) {
  const TensorMap targets = state_dict(module);
  require_match(targets, tensors, source);
  for (const auto& [name, target] : targets) {
    const at::Tensor& tensor = tensors.at(name);
    require_weights(target, tensor, name, source);
    require_finite(tensor.to(target.scalar_type()), name, source);
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) {
    target.copy_(tensors.at(name));
  }
}

void move_parameters(torch::nn::Module& module, TensorMap&& tensors, const std::string& source) {
  const TensorMap targets = state_dict(module);
  require_match(targets, tensors, source);
  const at::NoGradGuard no_grad;
  for (const auto& [name, target] : targets) {
    const at::Tensor tensor = std::move(tensors.extract(name).mapped());
    require_weights(target, tensor, name, source);
    target.copy_(tensor);
    require_finite(target, name, source);  // of what is used, whatever happens to the file
  }
}

TensorMap state_dict(const torch::nn::Module& module) {
  TensorMap tensors;
  for (const auto& item : module.named_parameters()) {
    tensors.emplace(item.key(), item.value().detach());
  }
  for (const auto& item : module.named_buffers()) {
    tensors.emplace(item.key(), item.value().detach());
  }
  return tensors;
}

std::int64_t parameter_count(const TensorMap& tensors) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : tensors) {
    count += tensor.numel();
  }
  return count;
}

TensorMap with_prefix(const TensorMap& tensors, std::string_view prefix) {
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) {
    renamed.emplace(str(prefix, name), tensor);
  }
  return renamed;
}

TensorMap strip_prefix(const TensorMap& tensors, std::string_view prefix) {
  TensorMap selected;
  for (auto it = tensors.lower_bound(std::string(prefix));
       it != tensors.end() && it->first.starts_with(prefix); ++it) {
    selected.emplace(it->first.substr(prefix.size()), it->second);
  }
  return selected;
}

}  // namespace leaf::io
