// Without CUDA nothing is recorded.
#include <utility>

#include "core/cuda_graph.h"

namespace leaf {

struct RecordedFunction::State {
  std::function<Tensors(const Tensors&)> function;
};

RecordedFunction::RecordedFunction(std::function<Tensors(const Tensors&)> function)
    : state_(std::make_unique<State>(State{std::move(function)})) {}

RecordedFunction::~RecordedFunction() = default;
RecordedFunction::RecordedFunction(RecordedFunction&&) noexcept = default;
RecordedFunction& RecordedFunction::operator=(RecordedFunction&&) noexcept = default;

Tensors RecordedFunction::operator()(const Tensors& inputs) { return state_->function(inputs); }

}  // namespace leaf
