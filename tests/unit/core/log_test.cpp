#include "leaf/core/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace leaf::log {

TEST(Log, AProgramMayTakeTheLinesItself) {
  std::vector<std::string> lines;
  set_sink([&](Severity severity, std::string_view message) {
    lines.push_back(std::to_string(static_cast<int>(severity)) + " " + std::string(message));
  });
  debug("not shown");
  info("one");
  set_level(Level::kQuiet);
  info("not shown");
  warn("two");
  error("three");
  set_level(Level::kVerbose);
  debug("four");
  set_level(Level::kNormal);
  set_sink(nullptr);
  info("on stderr again");
  EXPECT_EQ(lines, (std::vector<std::string>{"1 one", "2 two", "3 three", "0 four"}));
}

}  // namespace leaf::log
