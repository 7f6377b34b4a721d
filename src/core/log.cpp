#include "leaf/core/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "leaf/core/error.h"
#include "leaf/core/strings.h"

namespace leaf::log {
namespace {

/// The process-wide logger; spdlog's sinks are thread-safe. Messages go to stderr, results to
/// stdout.
struct Logger {
  std::shared_ptr<spdlog::sinks::stderr_color_sink_mt> terminal;
  std::shared_ptr<spdlog::logger> logger;
  spdlog::sink_ptr file;

  Logger() {
    const bool plain = std::getenv("NO_COLOR") != nullptr || isatty(STDERR_FILENO) == 0;
    terminal = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
        plain ? spdlog::color_mode::never : spdlog::color_mode::automatic);
    terminal->set_pattern("%^%l%$: %v");
    terminal->set_level(spdlog::level::info);
    logger = std::make_shared<spdlog::logger>("leaf", terminal);
    logger->set_level(spdlog::level::debug);
    logger->flush_on(spdlog::level::info);
    // A full disk or a closed terminal is reported where results are written.
    logger->set_error_handler([](const std::string&) {});
  }
};

Logger& instance() {
  static Logger logger;
  return logger;
}

void write(spdlog::level::level_enum level, std::string_view message) {
  instance().logger->log(level, escaped(message));
}

}  // namespace

void set_level(Level level) {
  switch (level) {
    case Level::kQuiet:
      instance().terminal->set_level(spdlog::level::warn);
      break;
    case Level::kNormal:
      instance().terminal->set_level(spdlog::level::info);
      break;
    case Level::kVerbose:
      instance().terminal->set_level(spdlog::level::debug);
      break;
  }
}

bool verbose() { return instance().terminal->level() <= spdlog::level::debug; }

void open_file(const std::filesystem::path& path) {
  close_file();
  try {
    instance().file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
  } catch (const spdlog::spdlog_ex& failure) {
    throw FileError(failure.what());
  }
  instance().file->set_pattern("%Y-%m-%d %H:%M:%S %l: %v");
  instance().logger->sinks().push_back(instance().file);
}

void close_file() {
  if (instance().file) {
    std::erase(instance().logger->sinks(), instance().file);
    instance().file.reset();
  }
}

void debug(std::string_view message) { write(spdlog::level::debug, message); }
void info(std::string_view message) { write(spdlog::level::info, message); }
void warn(std::string_view message) { write(spdlog::level::warn, message); }
void error(std::string_view message) { write(spdlog::level::err, message); }

}  // namespace leaf::log
