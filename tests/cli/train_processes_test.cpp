#include <ATen/ATen.h>
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <fstream>

#include "leaf/core/files.h"
#include "train/checkpoint.h"
#include "train_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::TrainProject;
using Strings = std::vector<std::string>;

Strings set(const Strings& settings, Strings more = {}) {
  for (const std::string& setting : settings) {
    more.insert(more.end(), {"--set", setting});
  }
  return more;
}

Strings operator+(Strings a, const Strings& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Strings kTwo{"--nproc", "2"};
const std::string kAccumulateTwo = "train.gradient_accumulation_steps=2";

Checkpoint newest(const fs::path& run) {
  return read_checkpoint(complete_checkpoints(run / "checkpoints").back());
}

/// Expects the same weights but for 1e-6 of what `a` has learned since its start.
void expect_same_training(const fs::path& start, const fs::path& a, const fs::path& b) {
  const io::TensorMap from = read_checkpoint(start).weights;
  const io::TensorMap one = newest(a).weights;
  const io::TensorMap other = newest(b).weights;
  double update = 0;
  double difference = 0;
  for (const auto& [name, value] : one) {
    update += (value - from.at(name)).to(at::kDouble).square().sum().item<double>();
    difference += (value - other.at(name)).to(at::kDouble).square().sum().item<double>();
  }
  EXPECT_GT(update, 0);
  EXPECT_LE(std::sqrt(difference), 1e-6 * std::sqrt(update));
}

/// "(step N, score S)" of what a run says at its end.
std::string best_model(const std::string& output) {
  const auto begin = output.find("(step");
  return begin == std::string::npos ? "" : output.substr(begin, output.find('\n', begin) - begin);
}

Strings validations(const fs::path& run) {
  Strings lines;
  for (const std::string& line : test::metrics(run)) {
    if (line.find("validation") != std::string::npos) {
      lines.push_back(line);
    }
  }
  return lines;
}

/// The process of that rank that a launcher has started.
pid_t process_of_rank(pid_t launcher, int rank) {
  for (const fs::path& entry : list_folder("/proc")) {
    std::string environment;
    std::string stat;
    std::getline(std::ifstream(entry / "environ"), environment, '\x01');
    std::getline(std::ifstream(entry / "stat"), stat);
    const bool child = stat.find(") R " + std::to_string(launcher) + " ") != std::string::npos ||
                       stat.find(") S " + std::to_string(launcher) + " ") != std::string::npos;
    if (child && environment.starts_with("RANK=" + std::to_string(rank) + std::string(1, '\0'))) {
      return std::stoi(entry.filename().string());
    }
  }
  return 0;
}

int free_port() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ::bind(listener, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(listener);
  return ntohs(address.sin_port);
}

}  // namespace

TEST(TrainProcesses, TwoTrainAsOneThatAccumulates) {
  const TrainProject project;
  const Strings common =
      set({"model.unet.dropout=0", "model.latent_encoder.dropout=0", "train.max_train_steps=10",
           "train.checkpoint_steps=1", "train.checkpoints_total_limit=99", "validation.steps=5",
           "validation.start_steps=5", "data.split.validation=2", "data.split.test=0",
           "validation.batch_size=1"});
  const auto one = project.train("one", common + set({kAccumulateTwo}));
  ASSERT_EQ(one.exit_code, 0) << one.err;
  const auto two = project.train("two", common + kTwo);
  ASSERT_EQ(two.exit_code, 0) << two.err;
  EXPECT_EQ(best_model(one.out), best_model(two.out));
  expect_same_training(project / "one/checkpoints/step-0000001", project / "one", project / "two");
  EXPECT_EQ(validations(project / "one"), validations(project / "two"));
  EXPECT_EQ(read_file(project / "one/split.csv"), read_file(project / "two/split.csv"));
  test::expect_intact(project / "two");
}

TEST(TrainProcesses, DropoutIsThatOfOneProcessToo) {
  const TrainProject project;
  ASSERT_EQ(project.train("one", set({kAccumulateTwo})).exit_code, 0);
  const auto two = project.train("two", kTwo);
  ASSERT_EQ(two.exit_code, 0) << two.err;
  expect_same_training(project / "one/checkpoints/step-0000002", project / "one", project / "two");
}

TEST(TrainProcesses, AnyNumberContinuesARun) {
  const TrainProject project;
  ASSERT_EQ(project.train("whole", set({kAccumulateTwo})).exit_code, 0);
  ASSERT_EQ(project.train("parts", set({"train.max_train_steps=2"}, kTwo)).exit_code, 0);
  const auto rest = project.train("parts", set({kAccumulateTwo}, {"--resume", "--allow-changes"}));
  ASSERT_EQ(rest.exit_code, 0) << rest.err;
  expect_same_training(project / "whole/checkpoints/step-0000002", project / "whole",
                       project / "parts");
  EXPECT_EQ(newest(project / "parts").batches, 8);
  // From one with another number of micro-batches a step, it goes on where that ended.
  ASSERT_EQ(project.train("other", set({"train.max_train_steps=2"})).exit_code, 0);
  EXPECT_EQ(newest(project / "other").batches, 2);
  const auto more = project.train("other", kTwo + Strings{"--resume"});
  ASSERT_EQ(more.exit_code, 0) << more.err;
  EXPECT_EQ(newest(project / "other").batches, 6);
}

/// As when a machine shuts down: the system's signal, and then the launcher's.
TEST(TrainProcesses, ASignalToAllOfThemSaves) {
  const TrainProject project;
  const test::Program program("leaf_train",
                              project.arguments("run", set({"train.max_train_steps=100000",
                                                            "train.checkpoint_steps=100000"},
                                                           kTwo + Strings{"--quiet"})));
  ASSERT_TRUE(test::wait_for(project / "run/best/model_index.json"));
  for (const pid_t process :
       {process_of_rank(program.pid(), 0), process_of_rank(program.pid(), 1), program.pid()}) {
    ASSERT_GT(process, 0);
    ::kill(process, SIGTERM);
  }
  const test::Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  test::expect_intact(project / "run");
}

TEST(TrainProcesses, ALostOneEndsTheJobAndIsNamed) {
  const TrainProject project;
  const test::Program program(
      "leaf_train",
      project.arguments("run", set({"train.max_train_steps=100000"}, kTwo + Strings{"--quiet"})));
  ASSERT_TRUE(test::wait_for(project / "run/checkpoints/step-0000002/state.json"));
  const pid_t second = process_of_rank(program.pid(), 1);
  ASSERT_GT(second, 0);
  ::kill(second, SIGKILL);
  const test::Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.err.find("process 1 of 2 was ended by signal 9"), std::string::npos)
      << outcome.err;
  EXPECT_NE(outcome.err.find("leaf_train: error: process 1 of 2 is lost; then --resume continues"),
            std::string::npos)
      << outcome.err;
  test::expect_intact(project / "run");
  const std::int64_t done = test::checkpoint_step(project / "run");
  const auto rest = project.train(
      "run", set({"train.max_train_steps=" + std::to_string(done + 1)}, {"--resume"}));
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
}

TEST(TrainProcesses, AnInterruptedJobIsSaved) {
  const TrainProject project;
  const test::Program program(
      "leaf_train", project.arguments("run", set({"train.max_train_steps=100000"}, kTwo)));
  ASSERT_TRUE(test::wait_for(project / "run/checkpoints/step-0000002/state.json"));
  program.interrupt();
  const test::Outcome outcome = program.wait();
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_NE(outcome.err.find("; saved; go on with --resume"), std::string::npos) << outcome.err;
  test::expect_intact(project / "run");
}

TEST(TrainProcesses, AFailureOfOneIsReadable) {
  const TrainProject project;
  write_file(project / "data/images/0003.png", "this is no picture");
  const auto outcome = project.train("run", kTwo + Strings{"--quiet"});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_NE(outcome.err.find("not an image"), std::string::npos) << outcome.err;
}

TEST(TrainProcesses, DifferentStartsAreRefused) {
  const TrainProject project;
  const std::string port = std::to_string(free_port());
  ::setenv("WORLD_SIZE", "2", 1);
  ::setenv("MASTER_PORT", port.c_str(), 1);
  ::setenv("RANK", "1", 1);
  const test::Program other("leaf_train", project.arguments("run", set({"seed=5"})));
  ::setenv("RANK", "0", 1);
  const test::Program first("leaf_train", project.arguments("run", {"--quiet"}));
  for (const char* name : {"WORLD_SIZE", "MASTER_PORT", "RANK"}) {
    ::unsetenv(name);
  }
  const test::Outcome outcome = first.wait();
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_NE(outcome.err.find("process 1 starts from another configuration"), std::string::npos)
      << outcome.err;
  EXPECT_NE(other.wait().exit_code, 0);
  EXPECT_FALSE(fs::exists(project / "run"));
}

}  // namespace leaf
