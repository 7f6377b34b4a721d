#include "common/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string_view>
#include <utility>

#include "leaf/core/strings.h"

namespace leaf::apps {
namespace {

using Style = ProgressOutput::Style;

constexpr double kBarInterval = 0.1;
constexpr double kLineInterval = 10.0;
constexpr int kBarWidth = 20;
constexpr std::string_view kClearLine = "\r\033[K";

double steady_seconds() {
  using Seconds = std::chrono::duration<double>;
  return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string bar_text(double fraction) {
  const int filled = static_cast<int>(fraction * kBarWidth);
  return str("[", std::string(filled, '#'), std::string(kBarWidth - filled, '-'), "] ");
}

std::string rate_text(double per_second) {
  return per_second >= 1 ? str(fixed(per_second, 1), "/s")
                         : str(fixed(1 / per_second, 1), " s each");
}

}  // namespace

ProgressOutput stderr_output(bool quiet) {
  const Style loud = ::isatty(STDERR_FILENO) != 0 ? Style::kBar : Style::kLines;
  return {&std::cerr, quiet ? Style::kSilent : loud, terminal_width(), steady_seconds};
}

Progress::Progress(std::int64_t total, std::string label, ProgressOutput output,
                   std::int64_t already_done)
    : total_(total),
      label_(std::move(label)),
      output_(std::move(output)),
      already_done_(already_done),
      done_(already_done),
      start_(output_.now()),
      next_(output_.style == Style::kBar ? start_ : start_ + kLineInterval) {}

void Progress::update(std::int64_t done, const std::string& text) {
  done_ = done;
  text_ = text;
  const double now = output_.now();
  if (output_.style == Style::kSilent || now < next_) {
    return;
  }
  next_ = now + (output_.style == Style::kBar ? kBarInterval : kLineInterval);
  show(line(now));
}

void Progress::clear() {
  if (output_.style == Style::kBar) {
    *output_.out << kClearLine << std::flush;
    next_ = output_.now();
  }
}

void Progress::finish() {
  if (output_.style == Style::kSilent) {
    return;
  }
  clear();
  const std::string text = text_.empty() ? "" : str("  ", text_);
  *output_.out << label_ << "  " << done_ << "/" << total_ << " in "
               << duration_text(output_.now() - start_) << text << std::endl;
}

/// The cursor goes back to the line's start, so that a message from elsewhere begins there too.
void Progress::show(const std::string& line) {
  if (output_.style == Style::kBar) {
    const auto columns = static_cast<std::size_t>(std::max(output_.width - 1, 0));
    *output_.out << kClearLine << line.substr(0, columns) << '\r' << std::flush;
  } else {
    *output_.out << line << std::endl;
  }
}

std::string Progress::line(double now) const {
  const double fraction =
      total_ > 0 ? std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0)
                 : 0;
  std::string text = str(label_, "  ", output_.style == Style::kBar ? bar_text(fraction) : "",
                         static_cast<int>(100 * fraction), "%  ", done_, "/", total_);
  const auto fresh = static_cast<double>(done_ - already_done_);
  if (fresh > 0 && now > start_) {
    const double rate = fresh / (now - start_);
    text +=
        str("  ", rate_text(rate), "  ETA ",
            duration_text(static_cast<double>(std::max<std::int64_t>(total_ - done_, 0)) / rate));
  }
  return text_.empty() ? text : str(text, "  ", text_);
}

}  // namespace leaf::apps
