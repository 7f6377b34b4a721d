#include "mapping_watch.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <string_view>

#include "leaf/core/strings.h"
#include "leaf/io/lost_files.h"

namespace leaf::io {
namespace {

/// A mapping as a signal handler can read it: `begin` is set last and cleared first.
struct Mapping {
  std::atomic<const char*> begin = nullptr;
  std::atomic<bool> taken = false;
  std::uint64_t size = 0;
  std::array<char, 512> name{};
};

// A signal handler can reach nothing but globals.
std::array<Mapping, 64> g_mappings;
std::array<char, 64> g_program{};
int g_exit_code = 0;
static_assert(std::atomic<const char*>::is_always_lock_free);

void say(const char* text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

/// Everything here may be called in a signal handler.
void on_bus_error(int /*number*/, siginfo_t* info, void* /*context*/) {
  const auto* address = static_cast<const char*>(info->si_addr);
  for (const Mapping& mapping : g_mappings) {
    const char* begin = mapping.begin;
    if (begin != nullptr && address >= begin && address < begin + mapping.size) {
      say(g_program.data());
      say(": error: '");
      say(mapping.name.data());
      say("' was cut short, or its disk failed, while it was read; copy it again\n");
      ::_exit(g_exit_code);
    }
  }
  std::signal(SIGBUS, SIG_DFL);  // not ours: it strikes again
}

template <std::size_t N>
void copy_text(std::string_view text, std::array<char, N>& place) {
  const std::size_t count = std::min(text.size(), N - 1);
  std::copy_n(text.begin(), count, place.begin());
  place[count] = '\0';
}

}  // namespace

MappingWatch::MappingWatch(const char* begin, std::uint64_t size, const std::filesystem::path& path)
    : place_(0) {
  while (place_ < g_mappings.size() && g_mappings[place_].taken.exchange(true)) {
    ++place_;
  }
  if (place_ < g_mappings.size()) {
    Mapping& mapping = g_mappings[place_];
    mapping.size = size;
    copy_text(escaped(path.string()), mapping.name);
    mapping.begin = begin;
  }
}

MappingWatch::~MappingWatch() {
  if (place_ < g_mappings.size()) {
    g_mappings[place_].begin = nullptr;
    g_mappings[place_].taken = false;
  }
}

void explain_lost_files(std::string_view program, int exit_code) {
  g_exit_code = exit_code;
  copy_text(program, g_program);
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace leaf::io
