#include "leaf_bench/operators.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>

namespace leaf::apps {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

struct Recorder {
  std::map<std::string, OperatorTime> by_name;
  int depth = 0;
};

// LibTorch's callbacks are plain functions, so they find the recorder of their thread here.
thread_local Recorder* t_recorder = nullptr;

struct Started : at::ObserverContext {
  double operations = 0;
  Clock::time_point start = Clock::now();
};

/// A convolution of ours says its arithmetic in its only argument.
double operations_of(const at::RecordFunction& record) {
  const bool ours = record.scope() == at::RecordScope::USER_SCOPE && record.inputs().size() == 1 &&
                    record.inputs()[0].isInt();
  return ours ? static_cast<double>(record.inputs()[0].toInt()) : 0;
}

std::unique_ptr<at::ObserverContext> start_operator(const at::RecordFunction& record) {
  if (t_recorder->depth++ > 0) {
    return nullptr;
  }
  auto started = std::make_unique<Started>();
  started->operations = operations_of(record);
  return started;
}

void end_operator(const at::RecordFunction& record, at::ObserverContext* context) {
  --t_recorder->depth;
  if (context == nullptr) {
    return;
  }
  const auto& started = static_cast<const Started&>(*context);
  OperatorTime& time = t_recorder->by_name[record.name()];
  ++time.count;
  time.milliseconds += Milliseconds(Clock::now() - started.start).count();
  time.operations += started.operations;
}

/// While it lives, this thread's operators go to `recorder`.
class RecordingScope {
 public:
  explicit RecordingScope(Recorder& recorder)
      : operators_(add(at::RecordScope::FUNCTION, false)),
        own_(add(at::RecordScope::USER_SCOPE, true)) {
    t_recorder = &recorder;
  }
  ~RecordingScope() {
    at::removeCallback(own_);
    at::removeCallback(operators_);
    t_recorder = nullptr;
  }
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;

 private:
  static at::CallbackHandle add(at::RecordScope scope, bool with_arguments) {
    return at::addThreadLocalCallback(at::RecordFunctionCallback(start_operator, end_operator)
                                          .scopes({scope})
                                          .needsInputs(with_arguments));
  }

  at::CallbackHandle operators_;
  at::CallbackHandle own_;
};

}  // namespace

OperatorTimes time_operators(const std::function<void()>& work) {
  Recorder recorder;
  OperatorTimes times;
  {
    const RecordingScope recording(recorder);
    const auto start = Clock::now();
    work();
    times.total_milliseconds = Milliseconds(Clock::now() - start).count();
  }
  times.outside_milliseconds = times.total_milliseconds;
  for (auto& [name, time] : recorder.by_name) {
    time.name = name;
    times.outside_milliseconds -= time.milliseconds;
    times.operators.push_back(time);
  }
  std::sort(times.operators.begin(), times.operators.end(),
            [](const auto& a, const auto& b) { return a.milliseconds > b.milliseconds; });
  return times;
}

}  // namespace leaf::apps
