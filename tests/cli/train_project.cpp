#include "train_project.h"

#include <gtest/gtest.h>

#include <sstream>

#include "leaf/core/files.h"
#include "leaf/pipeline/model.h"
#include "train/checkpoint.h"

namespace leaf::test {
namespace fs = std::filesystem;

TrainProject::TrainProject() : TinyProject(6, 64, 1) {
  write_file(folder / "train.yaml", R"(base: config.yaml
train:
  learning_rate: 1e-3
  num_warmup_steps: 0
  max_train_steps: 4
  train_batch_size: 2
  log_steps: 1
  checkpoint_steps: 2
validation: {start_steps: 2, steps: 2}
)");
}

std::vector<std::string> TrainProject::arguments(const std::string& run,
                                                 const std::vector<std::string>& more,
                                                 const std::string& config) const {
  std::vector<std::string> words{"--config", path(config), "--set", "output.dir=" + path(run)};
  words.insert(words.end(), more.begin(), more.end());
  words.insert(words.end(), {"--device", "cpu", "--threads", "1"});
  return words;
}

Outcome TrainProject::train(const std::string& run, const std::vector<std::string>& more) const {
  return run_program("leaf_train", arguments(run, more));
}

std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    if (entry.is_directory()) {
      files[name + "/"] = "";
    } else {
      files[name] = read_file(entry.path());
    }
  }
  return files;
}

std::vector<std::string> differences(const fs::path& a, const fs::path& b) {
  const auto left = contents(a);
  auto right = contents(b);
  std::vector<std::string> names;
  if (left.empty()) {
    names.push_back(a.string() + " is empty");
  }
  for (const auto& [name, bytes] : left) {
    const auto found = right.find(name);
    if (found == right.end() || found->second != bytes) {
      names.push_back(name);
    }
    right.erase(name);
  }
  for (const auto& [name, bytes] : right) {
    names.push_back(name);
  }
  return names;
}

std::vector<std::string> metrics(const fs::path& run) {
  std::vector<std::string> entries;
  std::istringstream lines(read_file(run / "metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    auto entry = nlohmann::json::parse(line);
    entry.erase("seconds_per_step");
    entries.push_back(entry.dump());
  }
  return entries;
}

std::int64_t checkpoint_step(const fs::path& run) {
  const auto all = complete_checkpoints(run / "checkpoints");
  return all.empty() ? 0 : read_checkpoint(all.back()).step;
}

void expect_intact(const fs::path& run) {
  EXPECT_NO_THROW(load_model(run / "best"));
  EXPECT_NO_THROW(load_model(run / "last"));
  EXPECT_GT(checkpoint_step(run), 0);
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    EXPECT_EQ(entry.path().filename().string().find(".leaf-tmp-"), std::string::npos)
        << entry.path();
  }
}

void expect_same_run(const fs::path& a, const fs::path& b) {
  const std::vector<std::string> none;
  EXPECT_EQ(differences(a / "last", b / "last"), none);
  EXPECT_EQ(differences(a / "best", b / "best"), none);
  EXPECT_EQ(differences(complete_checkpoints(a / "checkpoints").back(),
                        complete_checkpoints(b / "checkpoints").back()),
            none);
  EXPECT_EQ(metrics(a), metrics(b));
}

}  // namespace leaf::test
