#include "leaf/core/log.h"

// What the library logs, thousands of times a second, is of no interest to a fuzzer.
namespace leaf::log {

void set_level(Level /*level*/) {}
bool verbose() { return false; }
void open_file(const std::filesystem::path& /*path*/) {}
void close_file() {}
void debug(std::string_view /*message*/) {}
void info(std::string_view /*message*/) {}
void warn(std::string_view /*message*/) {}
void warn_once(std::string_view /*kind*/, std::string_view /*message*/) {}
void error(std::string_view /*message*/) {}

}  // namespace leaf::log
