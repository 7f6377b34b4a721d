#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

namespace leaf::log {

enum class Level { kQuiet, kNormal, kVerbose };

/// What the terminal shows: kQuiet warnings and errors only, kVerbose debug lines too.
void set_level(Level level);

/// True after set_level(kVerbose).
bool verbose();

/// How much a line matters.
enum class Severity { kDebug, kInfo, kWarning, kError };

/// Takes a line, without a newline, on whatever thread it comes from; one at a time.
using Sink = std::function<void(Severity severity, std::string_view message)>;

/// Gives lines to `sink` instead of stderr, as many as set_level asks for; an empty one brings
/// stderr back. For a program that has a log of its own: before it starts threads that use leaf.
void set_sink(Sink sink);

/// Copies every line, debug lines included, to `path` as well (appending) until close_file();
/// throws FileError when it cannot be opened.
void open_file(const std::filesystem::path& path);
void close_file();

void debug(std::string_view message);
void info(std::string_view message);
void warn(std::string_view message);
/// Warns of the first thing of its kind in this process; `kind` is not shown.
void warn_once(std::string_view kind, std::string_view message);
void error(std::string_view message);

}  // namespace leaf::log
