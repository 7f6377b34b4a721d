#include "leaf/train/process_group.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>
#include <unordered_map>
#include <utility>

#include "leaf/core/strings.h"
#include "process_backend.h"
#include "process_watch.h"

namespace leaf {
namespace {

/// The interface that GLOO_SOCKET_IFNAME names, the loopback where all are on this machine, else
/// that of this machine's name.
c10::intrusive_ptr<c10d::Backend> make_gloo(const c10::intrusive_ptr<c10d::Store>& store,
                                            const ProcessPlace& place) {
  auto options = c10d::ProcessGroupGloo::Options::create(kLongestWait);
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  if (interface != nullptr) {
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForInterface(interface));
  } else if (place.local_count == place.count) {
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
  } else {
    options->devices.push_back(c10d::ProcessGroupGloo::createDefaultDevice());
  }
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.count, options);
}

/// As PyTorch's DistributedDataParallel has it: in buckets, the last parameters first.
std::unique_ptr<c10d::Reducer> make_reducer(const std::vector<at::Tensor>& parameters,
                                            const c10::intrusive_ptr<c10d::ProcessGroup>& group) {
  const std::vector<bool> no_sparse(parameters.size(), false);
  auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(
      parameters, {c10d::kDefaultFirstBucketBytes, c10d::kDefaultBucketBytesCap}, no_sparse));
  std::reverse(buckets.begin(), buckets.end());
  return std::make_unique<c10d::Reducer>(
      parameters, std::move(buckets), group, no_sparse, c10d::kDefaultBucketBytesCap,
      /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/false,
      std::unordered_map<std::size_t, std::string>{}, c10d::kDefaultFirstBucketBytes,
      /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false,
      std::vector<std::int64_t>{});
}

}  // namespace

struct MeetingPlace::State {
  c10::intrusive_ptr<c10d::TCPStore> store;
};

MeetingPlace::MeetingPlace() : state_(std::make_unique<State>()) {
  c10d::TCPStoreOptions options;
  options.port = 0;  // a free one
  options.isServer = true;
  options.waitWorkers = false;
  state_->store = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
}

MeetingPlace::~MeetingPlace() = default;

int MeetingPlace::port() const { return state_->store->getPort(); }

struct ProcessGroup::State {
  State(const ProcessPlace& place, c10::Device device)
      : store(connect_store(place, place.rank == 0 && !place.kept_by_launcher)),
        group(c10::make_intrusive<c10d::ProcessGroup>(store, place.rank, place.count)) {
    auto gloo = make_gloo(c10::make_intrusive<c10d::PrefixStore>("gloo", store), place);
    group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    group->setBackend(c10::kCPU, c10d::ProcessGroup::BackendType::GLOO, gloo);
    add_device_backend(*group, c10::make_intrusive<c10d::PrefixStore>("device", store), device);
    watch = std::make_unique<ProcessWatch>(place);
  }

  /// For the parameters that learn now, all of which the next backward pass must reach.
  void require_reducer() {
    std::vector<at::Tensor> learning;
    std::copy_if(parameters.begin(), parameters.end(), std::back_inserter(learning),
                 [](const at::Tensor& parameter) { return parameter.requires_grad(); });
    const auto is_same = [](const at::Tensor& a, const at::Tensor& b) { return a.is_same(b); };
    if (!reducer ||
        !std::equal(learning.begin(), learning.end(), reduced.begin(), reduced.end(), is_same)) {
      reducer.reset();  // before the next one listens to the same gradients
      reducer = make_reducer(learning, group);
      reduced = std::move(learning);
    }
  }

  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroup> group;
  std::vector<at::Tensor> parameters;  ///< share_gradients()'
  std::vector<at::Tensor> reduced;     ///< those that learned when the reducer was made
  std::unique_ptr<c10d::Reducer> reducer;
  std::unique_ptr<ProcessWatch> watch;  // ends first
};

ProcessGroup::ProcessGroup() = default;

ProcessGroup::ProcessGroup(const ProcessPlace& place, c10::Device device) : place_(place) {
  if (place.count == 1 && !place.alone_too) {
    return;
  }
  try {
    state_ = std::make_unique<State>(place, device);
  } catch (const c10::Error& failure) {
    throw ProcessLost(str("process ", place.rank, " of ", place.count,
                          " cannot meet the others at ", place.address, ":", place.port, ": ",
                          std::string(failure.what_without_backtrace()).substr(0, 200)));
  }
}

ProcessGroup::~ProcessGroup() = default;

std::vector<std::string> ProcessGroup::gather(const std::string& mine) {
  if (!state_) {
    return {mine};
  }
  return waiting([&] {
    const auto all_of = [&](const at::Tensor& tensor) {
      std::vector<std::vector<at::Tensor>> all(1);
      for (int i = 0; i < count(); ++i) {
        all[0].push_back(at::empty_like(tensor));
      }
      std::vector<at::Tensor> input{tensor};
      state_->group->allgather(all, input)->wait();
      return all[0];
    };
    std::vector<std::int64_t> sizes;
    const auto own_size = static_cast<std::int64_t>(mine.size());
    for (const at::Tensor& size : all_of(at::full({1}, own_size, at::kLong))) {
      sizes.push_back(size.item<std::int64_t>());
    }
    const std::int64_t longest = *std::max_element(sizes.begin(), sizes.end());
    at::Tensor bytes = at::zeros({longest + 1}, at::kByte);
    std::copy(mine.begin(), mine.end(), bytes.mutable_data_ptr<std::uint8_t>());
    std::vector<std::string> texts;
    for (const at::Tensor& text : all_of(bytes)) {
      const auto* begin = text.const_data_ptr<std::uint8_t>();
      texts.emplace_back(begin, begin + sizes[texts.size()]);
    }
    return texts;
  });
}

bool ProcessGroup::any(bool mine) {
  return state_ ? mean(at::full({1}, mine ? 1.0 : 0.0, at::kDouble)).item<double>() > 0 : mine;
}

at::Tensor ProcessGroup::mean(const at::Tensor& mine) {
  if (!state_) {
    return mine;
  }
  return waiting([&] {
    std::vector<at::Tensor> tensors{mine.detach().clone()};
    state_->group->allreduce(tensors)->wait();
    return tensors[0] / count();
  });
}

void ProcessGroup::share_gradients(const std::vector<at::Tensor>& parameters) {
  if (state_) {
    state_->parameters = parameters;
  }
}

void ProcessGroup::average_next_gradients() {
  if (state_) {
    waiting([&] {
      state_->require_reducer();
      state_->reducer->rebuild_buckets();  // once, in the order that the first pass had
      state_->reducer->prepare_for_forward();
      state_->reducer->prepare_for_backward({});
    });
  }
}

void ProcessGroup::set_waiting(bool waiting) { state_->watch->set_waiting(waiting); }

void ProcessGroup::throw_if_lost() {
  if (const std::string lost = state_->watch->find_lost(); !lost.empty()) {
    throw ProcessLost(lost);
  }
}

void ProcessGroup::report_failure(const std::string& message) noexcept {
  try {
    if (state_) {
      state_->watch->report_failure(message);
    }
  } catch (const std::exception&) {  // nobody is left to tell
  }
}

}  // namespace leaf
