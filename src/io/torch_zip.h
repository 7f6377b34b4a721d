#pragma once

#include <filesystem>

#include "leaf/io/tensor_map.h"

namespace leaf::io {

/// The tensors of a PyTorch checkpoint (torch.save's zip format, PyTorch 1.6 and later) or a
/// TorchScript archive (torch.jit.save, as OpenAI publishes CLIP) without running anything that it
/// holds: objects other than dictionaries, TorchScript modules and tensors are passed over
/// unopened.
///
/// Tensors in nested dictionaries or modules get names joined by '.'; where the top level has a
/// `state_dict` (PyTorch Lightning) only its tensors are returned, without that prefix. Tensors
/// keep their type, strides and shared storages; complex, quantised, sparse and other unsupported
/// ones are passed over with a warning that names them.
///
/// Storages share a private mapping of the file, so that optimizer states and whatever else is
/// never used is never read: as with read_safetensors(), pages leave memory with their tensors, and
/// nothing written into a tensor reaches the file. WeightsError names the path and the reason when
/// the file is damaged, is of another format, is compressed or holds no tensors.
TensorMap read_torch_zip(const std::filesystem::path& path);

}  // namespace leaf::io
