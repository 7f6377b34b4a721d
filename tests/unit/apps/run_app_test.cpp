#include "common/run_app.h"

#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <new>

#include "common/exit_code.h"
#include "common/interrupt.h"
#include "common/options.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"

namespace leaf::apps {
namespace {

struct Outcome {
  int exit_code;
  std::string out;
  std::string err;
};

/// Runs a program with the common options and one sub-command.
Outcome run(std::vector<const char*> arguments, const std::function<int()>& body,
            bool with_command = false) {
  CLI::App app{"Trains.", "leaf_train"};
  CommonOptions options;
  add_common_options(app, options);
  if (with_command) {
    app.add_subcommand("import", "Imports")->add_option("--from", options.device);
    app.require_subcommand(1);
  }
  arguments.insert(arguments.begin(), "leaf_train");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int exit_code = run_app(app, static_cast<int>(arguments.size()), arguments.data(), [&] {
    apply(options);
    return body();
  });
  log::set_level(log::Level::kNormal);
  return {exit_code, testing::internal::GetCapturedStdout(),
          testing::internal::GetCapturedStderr()};
}

int succeed() { return kExitSuccess; }

}  // namespace

TEST(RunApp, ReturnsWhatTheBodyReturns) {
  EXPECT_EQ(run({"--device", "cpu"}, succeed).exit_code, 0);
  EXPECT_EQ(run({}, [] { return 130; }).exit_code, 130);
}

TEST(RunApp, HelpStatesDefaults) {
  const Outcome help = run({"--help"}, [] { return 7; });
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  for (const auto* text : {"--device", "=auto", "=fp32", "=0", "--quiet", "[off]", "--version"}) {
    EXPECT_NE(help.out.find(text), std::string::npos) << text << " in\n" << help.out;
  }
}

TEST(RunApp, VersionNamesLibTorchAndCuda) {
  const Outcome version = run({"--version"}, [] { return 7; });
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out, version_text() + "\n");
  EXPECT_EQ(version.out.find("leaf "), 0U);
  EXPECT_NE(version.out.find("\nLibTorch 2."), std::string::npos);
  EXPECT_NE(version.out.find("\nCUDA: "), std::string::npos);
}

TEST(RunApp, WrongUsageIsOneLineAndTwo) {
  const auto expect = [](std::vector<const char*> arguments, const std::string& message,
                         bool with_command = false) {
    const Outcome outcome = run(
        std::move(arguments), [] { return 7; }, with_command);
    EXPECT_EQ(outcome.exit_code, kExitUsage);
    EXPECT_EQ(outcome.err, "leaf_train: error: " + message + "; see leaf_train --help\n");
    EXPECT_EQ(outcome.out, "");
  };
  expect({"--devise", "cpu"}, "unknown option '--devise' (did you mean '--device'?)");
  expect({"--threds=4"}, "unknown option '--threds' (did you mean '--threads'?)");
  expect({"--zzzzzzzz"}, "unknown option '--zzzzzzzz'");
  expect({"more"}, "unexpected argument 'more'");
  expect({"--threads", "-1"}, "--threads: Value -1 not in range 0 to 4096");
  expect({"imprt"}, "unknown command 'imprt' (did you mean 'import'?)", true);
  expect({"import", "--form", "x"}, "unknown option '--form' (did you mean '--from'?)", true);
}

TEST(RunApp, QuietAndVerboseExcludeEachOther) {
  const Outcome outcome = run({"--quiet", "--verbose"}, succeed);
  EXPECT_EQ(outcome.exit_code, kExitUsage);
  EXPECT_NE(outcome.err.find(" excludes "), std::string::npos) << outcome.err;
}

TEST(RunApp, ErrorsAreOneLine) {
  const Outcome config = run({}, []() -> int { throw ConfigError("a.yaml:1: no"); });
  EXPECT_EQ(config.exit_code, kExitUsage);
  EXPECT_EQ(config.err, "leaf_train: error: a.yaml:1: no\n");
  EXPECT_EQ(run({}, []() -> int { throw DataError("x"); }).exit_code, kExitUsage);
  EXPECT_EQ(run({}, []() -> int { throw FileError("x"); }).exit_code, kExitUsage);
  const Outcome device = run({"--device", "tpu"}, succeed);
  EXPECT_EQ(device.exit_code, kExitUsage);
  EXPECT_EQ(device.err,
            "leaf_train: error: --device 'tpu' is not one of auto, cpu, cuda, cuda:N\n");

  const Outcome other = run({}, []() -> int { throw std::runtime_error("first\nsecond"); });
  EXPECT_EQ(other.exit_code, kExitSomeFailed);
  EXPECT_EQ(other.err, "leaf_train: error: first\n");
  EXPECT_EQ(run({}, []() -> int { throw std::bad_alloc(); }).err,
            "leaf_train: error: out of memory; use a smaller batch or resolution\n");
}

TEST(RunApp, TorchErrorsShowTheirTraceOnlyWhenVerbose) {
  const auto fail = []() -> int { TORCH_CHECK(false, "wrong shape\nmore"); };
  const Outcome plain = run({}, fail);
  EXPECT_EQ(plain.exit_code, kExitSomeFailed);
  EXPECT_EQ(plain.err, "leaf_train: error: wrong shape\n");
  const Outcome verbose = run({"--verbose"}, fail);
  EXPECT_NE(verbose.err.find("Exception raised from"), std::string::npos) << verbose.err;
}

TEST(RunApp, NamesCannotCommandATerminal) {
  const Outcome outcome = run({}, []() -> int {
    log::warn("'a\nb'");
    throw DataError("cannot read '\x1b[2Ja\nb'");
  });
  EXPECT_EQ(outcome.err, "warning: 'a\\nb'\nleaf_train: error: cannot read '\\x1b[2Ja\\nb'\n");
}

TEST(RunApp, ManyMoreThreadsThanCoresAreNotStarted) {
  const Outcome outcome =
      run({"--threads", "4096"}, [] { return at::get_num_threads() < 4096 ? 0 : 9; });
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_TRUE(outcome.err.starts_with("warning: --threads 4096 on ")) << outcome.err;
}

TEST(Interrupt, TheFirstIsNotedTheSecondEnds) {
  const auto once = [](int signal) {
    handle_interrupts();
    const bool before = interrupted();
    std::raise(signal);
    std::exit(!before && interrupted() ? 5 : 6);
  };
  EXPECT_EXIT(once(SIGINT), testing::ExitedWithCode(5), "interrupted: ending in order");
  EXPECT_EXIT(once(SIGTERM), testing::ExitedWithCode(5), "interrupted: ending in order");
  const auto twice = [] {
    handle_interrupts();
    std::raise(SIGINT);
    std::raise(SIGINT);
  };
  EXPECT_EXIT(twice(), testing::ExitedWithCode(kExitInterrupted), "");
}

}  // namespace leaf::apps
