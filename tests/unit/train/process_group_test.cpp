#include "leaf/train/process_group.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <thread>

#include "leaf/core/strings.h"
#include "support/images.h"
#include "train/validation_share.h"

namespace leaf {
namespace {

/// These variables and none of a launcher's others, while it lives.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& variables) {
    for (const char* name : {"RANK",
                             "WORLD_SIZE",
                             "LOCAL_RANK",
                             "LOCAL_WORLD_SIZE",
                             "MASTER_ADDR",
                             "MASTER_PORT",
                             "TORCHELASTIC_USE_AGENT_STORE",
                             "TORCHELASTIC_RESTART_COUNT",
                             "SLURM_PROCID",
                             "SLURM_STEP_NUM_TASKS",
                             "SLURM_LOCALID",
                             "SLURM_STEP_NUM_NODES",
                             "SLURM_STEP_NODELIST",
                             "SLURM_STEP_TASKS_PER_NODE",
                             "SLURM_NODEID",
                             "SLURM_JOB_ID",
                             "SLURM_STEP_ID",
                             "OMPI_COMM_WORLD_RANK",
                             "OMPI_COMM_WORLD_SIZE",
                             "OMPI_COMM_WORLD_LOCAL_RANK",
                             "OMPI_COMM_WORLD_LOCAL_SIZE",
                             "PMIX_NAMESPACE"}) {
      ::unsetenv(name);
    }
    for (const auto& [name, value] : variables) {
      ::setenv(name.c_str(), value.c_str(), 1);
      names_.push_back(name);
    }
  }
  ~Environment() {
    for (const std::string& name : names_) {
      ::unsetenv(name.c_str());
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::vector<std::string> names_;
};

ProcessPlace place_in(const std::map<std::string, std::string>& variables) {
  const Environment environment(variables);
  return process_place();
}

std::string refusal(const std::map<std::string, std::string>& variables) {
  return test::message_of<ConfigError>([&] { place_in(variables); });
}

/// Runs `body` in a group of threads that act as processes.
void in_group(int count, const std::function<void(ProcessGroup& group)>& body) {
  const MeetingPlace meeting;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; ++rank) {
    threads.emplace_back([&, rank] {
      ProcessPlace place;
      place.rank = place.local_rank = rank;
      place.count = place.local_count = count;
      place.port = meeting.port();
      place.kept_by_launcher = true;
      ProcessGroup group(place, c10::kCPU);
      body(group);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace

TEST(ProcessPlace, Alone) {
  EXPECT_EQ(place_in({}).count, 1);
  EXPECT_EQ(place_in({{"WORLD_SIZE", "1"}, {"RANK", "0"}}).count, 1);
  EXPECT_EQ(place_in({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}).count, 1);  // sbatch's script
}

TEST(ProcessPlace, Torchrun) {
  const ProcessPlace place = place_in({{"RANK", "3"},
                                       {"WORLD_SIZE", "4"},
                                       {"LOCAL_RANK", "1"},
                                       {"LOCAL_WORLD_SIZE", "2"},
                                       {"MASTER_ADDR", "head"},
                                       {"MASTER_PORT", "29500"},
                                       {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                                       {"TORCHELASTIC_RESTART_COUNT", "2"}});
  EXPECT_EQ(place.rank, 3);
  EXPECT_EQ(place.count, 4);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.local_count, 2);
  EXPECT_EQ(place.address, "head");
  EXPECT_EQ(place.port, 29500);
  EXPECT_TRUE(place.kept_by_launcher);
  EXPECT_EQ(place.attempt, "2");
}

TEST(ProcessPlace, Srun) {
  std::map<std::string, std::string> variables{{"SLURM_PROCID", "5"},
                                               {"SLURM_STEP_NUM_TASKS", "8"},
                                               {"SLURM_LOCALID", "1"},
                                               {"SLURM_STEP_NUM_NODES", "3"},
                                               {"SLURM_STEP_TASKS_PER_NODE", "3(x2),2"},
                                               {"SLURM_NODEID", "1"},
                                               {"SLURM_STEP_NODELIST", "gpu[07-08],cpu1"},
                                               {"SLURM_JOB_ID", "4711"},
                                               {"SLURM_STEP_ID", "0"}};
  const ProcessPlace place = place_in(variables);
  EXPECT_EQ(place.rank, 5);
  EXPECT_EQ(place.count, 8);
  EXPECT_EQ(place.local_rank, 1);
  EXPECT_EQ(place.local_count, 3);
  EXPECT_EQ(place.address, "gpu07");
  EXPECT_GE(place.port, 20000);
  variables["SLURM_PROCID"] = "0";
  EXPECT_EQ(place_in(variables).port, place.port);
  variables["SLURM_NODEID"] = "2";
  EXPECT_EQ(place_in(variables).local_count, 2);
  variables["SLURM_STEP_NODELIST"] = "a,b";
  EXPECT_EQ(place_in(variables).address, "a");
  variables["SLURM_STEP_NUM_NODES"] = "1";
  EXPECT_EQ(place_in(variables).address, "127.0.0.1");
}

TEST(ProcessPlace, Mpirun) {
  std::map<std::string, std::string> variables{{"OMPI_COMM_WORLD_RANK", "1"},
                                               {"OMPI_COMM_WORLD_SIZE", "2"},
                                               {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                               {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                                               {"PMIX_NAMESPACE", "12345"}};
  EXPECT_EQ(place_in(variables).rank, 1);
  EXPECT_EQ(place_in(variables).address, "127.0.0.1");
  EXPECT_GT(place_in(variables).port, 0);
  variables["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";  // two machines
  EXPECT_NE(refusal(variables).find("set MASTER_ADDR"), std::string::npos) << refusal(variables);
  variables["MASTER_ADDR"] = "head";
  EXPECT_EQ(place_in(variables).address, "head");
}

TEST(ProcessPlace, RefusesWhatCannotBe) {
  EXPECT_NE(refusal({{"WORLD_SIZE", "2"}}).find("MASTER_PORT"), std::string::npos);
  EXPECT_NE(refusal({{"WORLD_SIZE", "two"}}).find("WORLD_SIZE=two"), std::string::npos);
  EXPECT_NE(refusal({{"WORLD_SIZE", "2"}, {"RANK", "2"}, {"MASTER_PORT", "1"}}).find("process 2"),
            std::string::npos);
}

TEST(ProcessGroup, AloneIsAGroup) {
  ProcessGroup group;
  EXPECT_TRUE(group.first());
  EXPECT_EQ(group.gather("x"), std::vector<std::string>{"x"});
  EXPECT_TRUE(group.any(true));
  EXPECT_FALSE(group.any(false));
  const at::Tensor value = at::rand({3});
  EXPECT_TRUE(group.mean(value).is_same(value));
}

TEST(ProcessGroup, TellsAndAverages) {
  in_group(3, [](ProcessGroup& group) {
    const std::string mine(static_cast<std::size_t>(group.rank()) * 1000, 'a');
    const auto all = group.gather(mine);
    ASSERT_EQ(all.size(), 3U);
    for (std::size_t rank = 0; rank < 3; ++rank) {
      EXPECT_EQ(all[rank].size(), rank * 1000);
    }
    EXPECT_TRUE(group.any(group.rank() == 2));
    EXPECT_FALSE(group.any(false));
    const at::Tensor mean = group.mean(at::full({2}, group.rank(), at::kDouble));
    EXPECT_EQ(mean[1].item<double>(), 1.0);
  });
}

TEST(ProcessGroup, AveragesGradientsOfTheLastPassAlone) {
  in_group(2, [](ProcessGroup& group) {
    const at::Tensor w = at::ones({4}).set_requires_grad(true);
    const at::Tensor v = at::ones({2, 3}).set_requires_grad(true);
    group.share_gradients({w, v});
    for (int step = 0; step < 3; ++step) {
      w.mutable_grad().reset();
      v.mutable_grad().reset();
      const double factor = group.rank() + 1;
      (w.sum() * factor + v.sum()).backward();
      EXPECT_EQ(w.grad()[0].item<double>(), factor);  // not yet
      group.average_next_gradients();
      group.waiting([&] { (w.sum() * factor + v.sum() * factor).backward(); });
      EXPECT_EQ(w.grad()[3].item<double>(), 3.0);
      EXPECT_EQ(v.grad()[1][2].item<double>(), 2.5);
    }
  });
}

TEST(ProcessGroup, AveragesThoseThatStillLearn) {
  in_group(2, [](ProcessGroup& group) {
    at::Tensor w = at::ones({4}).set_requires_grad(true);
    at::Tensor v = at::ones({2, 3}).set_requires_grad(true);
    group.share_gradients({w, v});
    const auto step = [&] {
      w.mutable_grad().reset();
      v.mutable_grad().reset();
      group.average_next_gradients();
      group.waiting([&] {
        const double factor = group.rank() + 1;
        ((v.requires_grad() ? v.sum() + w.sum() : w.sum()) * factor).backward();
      });
    };
    for (const bool both : {true, true, false, false, true}) {
      v.set_requires_grad(both);
      step();
      EXPECT_EQ(w.grad()[3].item<double>(), 1.5);
      EXPECT_EQ(v.grad().defined(), both);
      if (both) {
        EXPECT_EQ(v.grad()[1][2].item<double>(), 1.5);
      }
    }
  });
}

TEST(ProcessGroup, AFailureIsToldToTheOthers) {
  in_group(2, [](ProcessGroup& group) {
    if (group.rank() == 1) {
      group.report_failure("no such image");
      return;  // its connections close
    }
    const std::string message = test::message_of<ProcessLost>([&] {
      for (int i = 0; i < 100; ++i) {
        group.wait_for_all();
      }
    });
    EXPECT_EQ(message, "process 1 of 2 ended: no such image");
  });
}

TEST(ValidationShare, KeepsBatchesAndOrder) {
  std::vector<data::Pair> pairs(11);
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    pairs[i].name = std::to_string(i);
  }
  for (const int count : {1, 2, 4}) {
    in_group(count, [&](ProcessGroup& group) {
      const auto share = share_of(pairs, 3, group);
      at::Tensor rows = at::empty({static_cast<std::int64_t>(share.size()), 2}, at::kDouble);
      for (std::size_t i = 0; i < share.size(); ++i) {
        EXPECT_EQ(std::stoi(share[i].name) % 3, static_cast<int>(i % 3));
        rows[static_cast<std::int64_t>(i)].fill_(std::stod(share[i].name));
      }
      const at::Tensor all = gathered_rows(rows, 3, group);
      ASSERT_EQ(all.size(0), 11);
      EXPECT_TRUE(at::equal(all.select(1, 1), at::arange(11, at::kDouble)));
    });
  }
}

}  // namespace leaf
