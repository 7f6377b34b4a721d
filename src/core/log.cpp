#include "leaf/core/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "leaf/core/error.h"
#include "leaf/core/field_names.h"
#include "leaf/core/strings.h"

namespace leaf::log {
namespace {

spdlog::sink_ptr stderr_sink() {
  const bool plain = std::getenv("NO_COLOR") != nullptr || isatty(STDERR_FILENO) == 0;
  auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
      plain ? spdlog::color_mode::never : spdlog::color_mode::automatic);
  sink->set_pattern("%^%l%$: %v");
  return sink;
}

Severity severity_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return Severity::kDebug;
    case spdlog::level::info:
      return Severity::kInfo;
    case spdlog::level::warn:
      return Severity::kWarning;
    default:
      return Severity::kError;
  }
}

/// Hands lines to a function of the program's.
class FunctionSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(Sink receiver) : sink_(std::move(receiver)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& line) override {
    sink_(severity_of(line.level), {line.payload.data(), line.payload.size()});
  }
  void flush_() override {}

  Sink sink_;
};

/// The process-wide logger; spdlog's sinks are thread-safe. Messages go to stderr, results to
/// stdout.
struct Logger {
  spdlog::sink_ptr shown;  ///< stderr, or the program's function
  spdlog::sink_ptr file;
  /// Both of them, which change while other threads write.
  std::shared_ptr<spdlog::sinks::dist_sink_mt> all =
      std::make_shared<spdlog::sinks::dist_sink_mt>();
  std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("leaf", all);

  Logger() : shown(stderr_sink()) {
    shown->set_level(spdlog::level::info);
    all->add_sink(shown);
    logger->set_level(spdlog::level::debug);
    logger->flush_on(spdlog::level::info);
    // A full disk or a closed terminal is reported where results are written.
    logger->set_error_handler([](const std::string&) {});
  }

  void show_by(spdlog::sink_ptr sink) {
    sink->set_level(shown->level());
    all->remove_sink(shown);
    all->add_sink(sink);
    shown = std::move(sink);
  }
};

Logger& instance() {
  static Logger logger;
  return logger;
}

void write(spdlog::level::level_enum level, std::string_view message) {
  instance().logger->log(level, escaped(with_field_names(message)));
}

spdlog::level::level_enum lowest(Level level) {
  switch (level) {
    case Level::kQuiet:
      return spdlog::level::warn;
    case Level::kVerbose:
      return spdlog::level::debug;
    case Level::kNormal:
      break;
  }
  return spdlog::level::info;
}

}  // namespace

void set_level(Level level) { instance().shown->set_level(lowest(level)); }

bool verbose() { return instance().shown->level() <= spdlog::level::debug; }

void set_sink(Sink sink) {
  instance().show_by(sink ? std::make_shared<FunctionSink>(std::move(sink)) : stderr_sink());
}

void open_file(const std::filesystem::path& path) {
  close_file();
  try {
    instance().file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
  } catch (const spdlog::spdlog_ex& failure) {
    throw FileError(failure.what());
  }
  instance().file->set_pattern("%Y-%m-%d %H:%M:%S %l: %v");
  instance().all->add_sink(instance().file);
}

void close_file() {
  if (instance().file) {
    instance().all->remove_sink(instance().file);
    instance().file.reset();
  }
}

void debug(std::string_view message) { write(spdlog::level::debug, message); }
void info(std::string_view message) { write(spdlog::level::info, message); }
void warn(std::string_view message) { write(spdlog::level::warn, message); }

void warn_once(std::string_view kind, std::string_view message) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> warned;
  const std::lock_guard lock(mutex);
  if (warned.emplace(kind).second) {
    warn(message);
  }
}

void error(std::string_view message) { write(spdlog::level::err, message); }

}  // namespace leaf::log
