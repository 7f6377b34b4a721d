#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "leaf/core/strings.h"
#include "leaf/train/process_group.h"

namespace leaf {
namespace {

constexpr int kFirstPort = 20000;
constexpr int kPorts = 10000;

std::string text_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A whole number of the environment; `fallback` where it is not set.
int number_of(const char* name, int fallback) {
  const std::string text = text_of(name);
  int number = fallback;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!text.empty() && (failure != std::errc() || end != text.data() + text.size() || number < 0)) {
    throw ConfigError(str(name, "=", text, " in the environment is not a whole number"));
  }
  return number;
}

/// The same for all processes of a job, most likely another for other jobs.
int port_for(const std::string& job) {
  return kFirstPort + static_cast<int>(fnv1a64(job) % kPorts);
}

/// "node[03-07,9],other" -> "node03".
std::string first_host(const std::string& list) {
  const auto bracket = list.find_first_of("[,");
  if (bracket == std::string::npos || list[bracket] == ',') {
    return list.substr(0, bracket);
  }
  const auto end = list.find_first_of("-,]", bracket);
  return list.substr(0, bracket) + list.substr(bracket + 1, end - bracket - 1);
}

ProcessPlace torchrun_place() {
  ProcessPlace place;
  place.rank = number_of("RANK", 0);
  place.count = number_of("WORLD_SIZE", 1);
  place.local_rank = number_of("LOCAL_RANK", place.rank);
  place.local_count = number_of("LOCAL_WORLD_SIZE", place.count);
  place.kept_by_launcher = text_of("TORCHELASTIC_USE_AGENT_STORE") == "True";
  place.attempt = text_of("TORCHELASTIC_RESTART_COUNT");
  return place;
}

/// The tasks of a machine, by its number, of "8(x2),4": eight, eight and four; 1 where that is not
/// said.
int tasks_of_machine(const std::string& list, int machine) {
  const char* end = list.data() + list.size();
  for (const char* at = list.data(); at < end; at = std::find(at, end, ',') + 1) {
    int tasks = 1;
    int machines = 1;
    const char* after = std::from_chars(at, end, tasks).ptr;
    if (std::string_view(after, end).starts_with("(x")) {
      std::from_chars(after + 2, end, machines);
    }
    if (machine < machines) {
      return tasks;
    }
    machine -= machines;
  }
  return 1;
}

ProcessPlace slurm_place() {
  ProcessPlace place;
  place.rank = number_of("SLURM_PROCID", 0);
  place.count = number_of("SLURM_STEP_NUM_TASKS", 1);
  place.local_rank = number_of("SLURM_LOCALID", place.rank);
  const bool one_machine = number_of("SLURM_STEP_NUM_NODES", 1) == 1;
  place.local_count = one_machine ? place.count
                                  : tasks_of_machine(text_of("SLURM_STEP_TASKS_PER_NODE"),
                                                     number_of("SLURM_NODEID", 0));
  place.address = one_machine ? "127.0.0.1" : first_host(text_of("SLURM_STEP_NODELIST"));
  place.port = port_for(str(text_of("SLURM_JOB_ID"), ".", text_of("SLURM_STEP_ID")));
  return place;
}

ProcessPlace open_mpi_place() {
  ProcessPlace place;
  place.rank = number_of("OMPI_COMM_WORLD_RANK", 0);
  place.count = number_of("OMPI_COMM_WORLD_SIZE", 1);
  place.local_rank = number_of("OMPI_COMM_WORLD_LOCAL_RANK", place.rank);
  place.local_count = number_of("OMPI_COMM_WORLD_LOCAL_SIZE", place.count);
  place.address = place.local_count == place.count ? "127.0.0.1" : "";
  place.port = port_for(text_of("PMIX_NAMESPACE"));
  return place;
}

}  // namespace

ProcessPlace process_place() {
  ProcessPlace place;
  if (!text_of("WORLD_SIZE").empty()) {
    place = torchrun_place();
  } else if (!text_of("SLURM_STEP_NUM_TASKS").empty()) {
    place = slurm_place();
  } else if (!text_of("OMPI_COMM_WORLD_SIZE").empty()) {
    place = open_mpi_place();
  }
  if (place.count < 2) {
    return {};
  }
  if (place.rank >= place.count) {
    throw ConfigError(str("the environment says process ", place.rank, " of ", place.count,
                          ": RANK must be below WORLD_SIZE"));
  }
  if (const std::string address = text_of("MASTER_ADDR"); !address.empty()) {
    place.address = address;
  }
  place.port = number_of("MASTER_PORT", place.port);
  if (place.address.empty() || place.port == 0) {
    throw ConfigError(str("the environment says process ", place.rank, " of ", place.count,
                          ", but not where they meet: set MASTER_ADDR and MASTER_PORT, or start "
                          "the program by torchrun, srun or mpirun"));
  }
  return place;
}

}  // namespace leaf
