#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/io/safetensors.h"
#include "tiny_project.h"

namespace leaf {
namespace {

namespace fs = std::filesystem;
using test::expect_usage_error;
using test::kUnetWeights;
using test::run_cpu;
using test::TinyProject;

test::Outcome make_random(const TinyProject& project, const std::string& to,
                          std::vector<std::string> more = {}) {
  more.insert(more.begin(),
              {"random", "--config", project.path("config.yaml"), "--to", project.path(to)});
  return run_cpu("leaf_convert", more);
}

}  // namespace

TEST(Convert, HelpAndVersion) {
  test::expect_help("leaf_convert",
                    {"inspect", "import", "export", "verify", "random", "--device", "--version"});
  const auto help = test::run_program("leaf_convert", {"random", "--help"});
  for (const char* option : {"--config", "--set", "--to", "--seed", "--force"}) {
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
  }
  expect_usage_error(run_cpu("leaf_convert", {"inspekt", "x"}), "leaf_convert",
                     {"did you mean 'inspect'"});
}

TEST(Convert, RandomWeightsFollowFromTheSeed) {
  const TinyProject project;
  EXPECT_EQ(make_random(project, "a", {"--seed", "5"}).exit_code, 0);
  EXPECT_EQ(make_random(project, "b", {"--seed", "5"}).exit_code, 0);
  EXPECT_EQ(make_random(project, "c", {"--seed", "6"}).exit_code, 0);
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(project / "a")) {
    if (entry.is_regular_file()) {
      ++files;
      const fs::path name = entry.path().lexically_relative(project / "a");
      EXPECT_TRUE(read_file(entry.path()) == read_file(project / "b" / name)) << name;
    }
  }
  EXPECT_EQ(files, 9U);
  EXPECT_FALSE(read_file(project / "a" / kUnetWeights) == read_file(project / "c" / kUnetWeights));
}

TEST(Convert, RandomReplacesOnlyModelFoldersAndOnlyByForce) {
  const TinyProject project;
  ASSERT_EQ(make_random(project, "model").exit_code, 0);
  const std::string before = read_file(project / "model" / kUnetWeights);
  expect_usage_error(make_random(project, "model"), "leaf_convert", {"exists", "--force"});
  EXPECT_EQ(make_random(project, "model", {"--force", "--seed", "9"}).exit_code, 0);
  EXPECT_FALSE(read_file(project / "model" / kUnetWeights) == before);
  expect_usage_error(make_random(project, "data", {"--force"}), "leaf_convert",
                     {"is no model folder"});
  EXPECT_TRUE(fs::exists(project / "data/images"));
  const std::string index = read_file(project / "model/model_index.json");
  write_file(project / "model/model_index.json", R"({"_class_name": "StableDiffusionPipeline"})");
  expect_usage_error(make_random(project, "model", {"--force"}), "leaf_convert",
                     {"is no model folder"});
  write_file(project / "model/model_index.json", index);
  write_file(project / "model/text_encoder/model.safetensors", "somebody's");
  expect_usage_error(make_random(project, "model", {"--force"}), "leaf_convert",
                     {"is no model folder"});
}

TEST(Convert, AnExportOfOneFileIsReplacedByForce) {
  const TinyProject project;
  project.with_model();
  const auto run_export = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words{
        "export", project.path("model"), "--to", project.path("to"), "--format", "sdseg"};
    words.insert(words.end(), more.begin(), more.end());
    return run_cpu("leaf_convert", words);
  };
  ASSERT_EQ(run_export({}).exit_code, 0);
  expect_usage_error(run_export({}), "leaf_convert", {"exists", "--force"});
  EXPECT_EQ(run_export({"--force"}).exit_code, 0);
}

TEST(Convert, InspectShowsATreeAndCounts) {
  const TinyProject project;
  project.with_model();
  const auto file =
      run_cpu("leaf_convert", {"inspect", (project / "model" / kUnetWeights).string()});
  EXPECT_EQ(file.exit_code, 0) << file.err;
  // A 3x3 convolution of 8 to 32 channels; two linear layers of 32 to 128 and 128 to 128.
  EXPECT_NE(file.out.find("\n  0.0  2 tensors, 2336 parameters\n"), std::string::npos) << file.out;
  EXPECT_NE(file.out.find("\ntime_embed  4 tensors, 20736 parameters\n  0  2 tensors, 4224 "
                          "parameters\n  2  2 tensors, 16512 parameters\ntotal: "),
            std::string::npos)
      << file.out;
  EXPECT_EQ(file.out.find("Float"), std::string::npos) << file.out;  // all tensors lie deeper
  const auto model = run_cpu("leaf_convert", {"inspect", project.path("model")});
  EXPECT_EQ(model.exit_code, 0) << model.err;
  for (const char* text : {"kl, 4 latent channels, downsampling 8", "resolution 64", "\nvae\n",
                           "\nlatent_encoder\n", "\nunet\n", "\nall parts: "}) {
    EXPECT_NE(model.out.find(text), std::string::npos) << text << " in\n" << model.out;
  }
}

TEST(Convert, InspectGoesAsDeepAsAsked) {
  const TinyProject project;
  io::TensorMap tensors{{"net.body.2.weight", at::zeros({2, 3})},
                        {"net.body.10.weight", at::zeros({4})},
                        {"scale", at::zeros({}, at::kHalf)}};
  for (int i = 0; i < 21; ++i) {
    tensors[str("average.n", i)] = at::zeros({1});
  }
  io::write_safetensors(project / "x.safetensors", tensors);
  const auto tree = [&](const std::string& depth) {
    const auto outcome =
        run_cpu("leaf_convert", {"inspect", project.path("x.safetensors"), "--depth", depth});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return outcome.out.substr(0, outcome.out.find("total: "));
  };
  EXPECT_EQ(tree("1"),
            "average  21 tensors, 21 parameters\n"
            "net.body  2 tensors, 10 parameters\n"
            "scale  []  Half\n");
  const std::string two = tree("2");
  EXPECT_NE(two.find("  n8  [1]  Float\n  ... and 1 more tensor\n"
                     "net.body  2 tensors, 10 parameters\n"
                     "  2  1 tensor, 6 parameters\n"
                     "  10  1 tensor, 4 parameters\n"),
            std::string::npos)
      << two;
  const std::string all = tree("0");
  EXPECT_EQ(all.find("..."), std::string::npos) << all;
  EXPECT_NE(all.find("  2  1 tensor, 6 parameters\n    weight  [2, 3]  Float\n"), std::string::npos)
      << all;
  expect_usage_error(
      run_cpu("leaf_convert", {"inspect", project.path("x.safetensors"), "--depth", "-1"}),
      "leaf_convert", {"--depth"});
}

TEST(Convert, InspectShowsEveryTensorWhateverItsName) {
  const TinyProject project;
  std::string deep = "x";
  for (int level = 1; level < 70; ++level) {
    deep += ".x";
  }
  io::TensorMap tensors{{"a", at::zeros({1})},         {"a.", at::zeros({2})},
                        {"a.b", at::zeros({3})},       {"n.2", at::zeros({1})},
                        {"n.10", at::zeros({1})},      {"n.1a", at::zeros({1})},
                        {deep + ".y", at::zeros({4})}, {deep + ".z.w", at::zeros({5})}};
  for (std::size_t end = 1; end < deep.size(); end += 2) {
    tensors[deep.substr(0, end) + ".fork"] = at::zeros({1});  // no level shares its line
  }
  io::write_safetensors(project / "x.safetensors", tensors);
  const std::string all =
      run_cpu("leaf_convert", {"inspect", project.path("x.safetensors"), "--depth", "0"}).out;
  for (const char* text :
       {"a  3 tensors, 6 parameters\n  (itself)  [1]  Float\n  .  [2]  Float\n  b  [3]  Float\n",
        "n  3 tensors, 3 parameters\n  2  [1]  Float\n  10  [1]  Float\n  1a  [1]  Float\n",
        " x.x.x.x.x.x.y  [4]  Float\n", " x.x.x.x.x.x.z.w  [5]  Float\n"}) {
    EXPECT_NE(all.find(text), std::string::npos) << text << " in\n" << all;
  }
}

TEST(Convert, InspectSaysWhatItCannotRead) {
  const TinyProject project;
  expect_usage_error(run_cpu("leaf_convert", {"inspect", project.path("no-such-file")}),
                     "leaf_convert", {"no-such-file"});
  expect_usage_error(run_cpu("leaf_convert", {"inspect", project.path("config.yaml")}),
                     "leaf_convert", {"config.yaml"});
}

}  // namespace leaf
