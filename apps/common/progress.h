#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

namespace leaf::apps {

/// Where progress is shown and how.
struct ProgressOutput {
  enum class Style { kBar, kLines, kSilent };
  std::ostream* out;
  Style style;
  /// Columns of the terminal, for kBar.
  int width;
  /// Seconds on any steady clock.
  std::function<double()> now;
};

/// stderr: a bar on a terminal, lines elsewhere, nothing when quiet.
ProgressOutput stderr_output(bool quiet);

/// How far a long job is, with rate and time left: on a terminal a bar, redrawn at most ten times a
/// second, otherwise a line at most every ten seconds.
class Progress {
 public:
  /// `already_done` of the `total` were done before now, as after a resume; they do not count for
  /// the rate.
  Progress(std::int64_t total, std::string label, ProgressOutput output,
           std::int64_t already_done = 0);

  /// `done` of the total are done; `text` is shown after the time left ("loss 0.12").
  void update(std::int64_t done, const std::string& text = {});
  /// Removes the bar, so that something else can be printed; the next update draws it again.
  void clear();
  /// Shows the last state with the whole duration and ends the line.
  void finish();

 private:
  void show(const std::string& line);
  std::string line(double now) const;

  std::int64_t total_;
  std::string label_;
  ProgressOutput output_;
  std::int64_t already_done_;
  std::int64_t done_;
  std::string text_;
  double start_;
  double next_;
};

}  // namespace leaf::apps
