#include "common/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace leaf::apps {
namespace {

using Style = ProgressOutput::Style;

/// A progress display whose clock stands still until it is set.
struct Display {
  std::ostringstream out;
  double time = 100;

  ProgressOutput output(Style style, int width = 200) {
    return {&out, style, width, [this] { return time; }};
  }
  std::string take() {
    std::string text = out.str();
    out.str("");
    return text;
  }
};

}  // namespace

TEST(Progress, ABarHasRateTimeLeftAndText) {
  Display display;
  Progress progress(1000, "train", display.output(Style::kBar));
  display.time += 10;
  progress.update(250, "loss 0.12");
  EXPECT_EQ(display.take(),
            "\r\033[Ktrain  [#####---------------] 25%  250/1000  25.0/s  ETA 30 s  loss 0.12\r");
  display.time += 0.05;
  progress.update(251);
  EXPECT_EQ(display.take(), "") << "at most ten times a second";
  display.time += 0.06;
  progress.update(252);
  EXPECT_NE(display.take(), "");
  display.time += 29.89;
  progress.update(1000, "loss 0.10");
  display.take();
  progress.finish();
  EXPECT_EQ(display.take(), "\r\033[Ktrain  1000/1000 in 40 s  loss 0.10\n");
}

TEST(Progress, ABarStaysOnItsLine) {
  Display display;
  Progress progress(10, "infer", display.output(Style::kBar, 20));
  progress.update(5, "a long text");
  EXPECT_EQ(display.take(), "\r\033[Kinfer  [##########-\r");
  progress.clear();
  EXPECT_EQ(display.take(), "\r\033[K");
}

TEST(Progress, ElsewhereThereIsALineEveryTenSeconds) {
  Display display;
  Progress progress(4, "infer", display.output(Style::kLines));
  display.time += 9;
  progress.update(1);
  EXPECT_EQ(display.take(), "");
  display.time += 1;
  progress.update(2);
  EXPECT_EQ(display.take(), "infer  50%  2/4  5.0 s each  ETA 10 s\n");
  display.time += 9;
  progress.update(3);
  progress.clear();
  EXPECT_EQ(display.take(), "");
  progress.finish();
  EXPECT_EQ(display.take(), "infer  3/4 in 19 s\n");
}

TEST(Progress, WhatWasDoneBeforeDoesNotCountForTheRate) {
  Display display;
  Progress progress(1000, "train", display.output(Style::kLines), 500);
  display.time += 10;
  progress.update(600);
  EXPECT_EQ(display.take(), "train  60%  600/1000  10.0/s  ETA 40 s\n");
}

TEST(Progress, QuietIsSilent) {
  Display display;
  Progress progress(4, "infer", display.output(Style::kSilent));
  display.time += 100;
  progress.update(2);
  progress.clear();
  progress.finish();
  EXPECT_EQ(display.take(), "");
  EXPECT_EQ(stderr_output(true).style, Style::kSilent);
}

}  // namespace leaf::apps
