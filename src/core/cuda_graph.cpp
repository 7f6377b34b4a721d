#include "core/cuda_graph.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <utility>

namespace leaf {
namespace {

constexpr int kWarmUps = 3;  // libraries choose algorithms and allocate before anything is recorded

/// One recording: its own copies of the inputs, and the results that a replay overwrites.
struct Recording {
  Tensors inputs;
  Tensors outputs;
  at::cuda::CUDAGraph graph;
};

std::vector<std::vector<std::int64_t>> shapes_of(const Tensors& tensors) {
  std::vector<std::vector<std::int64_t>> shapes;
  for (const at::Tensor& tensor : tensors) {
    shapes.push_back(tensor.sizes().vec());
  }
  return shapes;
}

/// What the function queues on this stream; other threads may go on with the GPU meanwhile.
Tensors captured(at::cuda::CUDAGraph& graph, const std::function<Tensors(const Tensors&)>& function,
                 const Tensors& inputs) {
  const at::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();
  graph.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
  try {
    Tensors outputs = function(inputs);
    graph.capture_end();
    return outputs;
  } catch (...) {
    try {
      graph.capture_end();             // else the stream and the allocator go on recording
    } catch (const std::exception&) {  // the first failure is the one to tell
      c10::cuda::CUDACachingAllocator::endAllocateToPool(inputs.front().get_device(), pool);
    }
    throw;
  }
}

std::unique_ptr<Recording> record(const std::function<Tensors(const Tensors&)>& function,
                                  const Tensors& inputs) {
  auto recording = std::make_unique<Recording>();
  for (const at::Tensor& input : inputs) {
    recording->inputs.push_back(input.clone());
  }
  const c10::cuda::CUDAStream before = c10::cuda::getCurrentCUDAStream();
  const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
  before.synchronize();
  const c10::cuda::CUDAStreamGuard guard(stream);
  at::Generator random = at::globalContext().defaultGenerator(stream.device());
  const std::uint64_t drawn = random.get_offset();
  for (int i = 0; i < kWarmUps; ++i) {
    function(recording->inputs);
  }
  stream.synchronize();
  random.set_offset(drawn);  // the first replay draws what any other would
  // While it records, the allocator gives nothing back: the warm-ups' memory would be taken twice.
  c10::cuda::CUDACachingAllocator::emptyCache();
  recording->outputs = captured(recording->graph, function, recording->inputs);
  return recording;
}

}  // namespace

struct RecordedFunction::State {
  std::function<Tensors(const Tensors&)> function;
  std::map<std::vector<std::vector<std::int64_t>>, std::unique_ptr<Recording>> recordings;
};

RecordedFunction::RecordedFunction(std::function<Tensors(const Tensors&)> function)
    : state_(std::make_unique<State>()) {
  state_->function = std::move(function);
}

RecordedFunction::~RecordedFunction() = default;
RecordedFunction::RecordedFunction(RecordedFunction&&) noexcept = default;
RecordedFunction& RecordedFunction::operator=(RecordedFunction&&) noexcept = default;

Tensors RecordedFunction::operator()(const Tensors& inputs) {
  if (inputs.empty() || !inputs.front().is_cuda()) {
    return state_->function(inputs);
  }
  const c10::cuda::CUDAGuard device(inputs.front().device());  // streams are of the current one
  std::unique_ptr<Recording>& recording = state_->recordings[shapes_of(inputs)];
  if (!recording) {
    recording = record(state_->function, inputs);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    recording->inputs[i].copy_(inputs[i], /*non_blocking=*/true);
  }
  recording->graph.replay();
  return recording->outputs;
}

}  // namespace leaf
