#pragma once

#include <filesystem>
#include <string_view>

namespace leaf::log {

enum class Level { kQuiet, kNormal, kVerbose };

/// What the terminal shows: kQuiet warnings and errors only, kVerbose debug lines too.
void set_level(Level level);

/// True after set_level(kVerbose).
bool verbose();

/// Copies every line, debug lines included, to `path` as well (appending) until close_file();
/// FileError when it cannot be opened.
void open_file(const std::filesystem::path& path);
void close_file();

void debug(std::string_view message);
void info(std::string_view message);
void warn(std::string_view message);
/// Warns of the first thing of its kind in this process; `kind` is not shown.
void warn_once(std::string_view kind, std::string_view message);
void error(std::string_view message);

}  // namespace leaf::log
