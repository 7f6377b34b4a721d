#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <leaf.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

#include "cli/tiny_project.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "leaf/data/mask_values.h"
#include "leaf_demo_data/phantom.h"
#include "support/exif_bytes.h"

namespace leaf {
namespace {

using test::TinyProject;
using ModelHandle = std::unique_ptr<leaf_model, decltype(&leaf_free)>;
using ResultHandle = std::unique_ptr<leaf_result, decltype(&leaf_result_free)>;

constexpr std::int64_t kHeight = 40;
constexpr std::int64_t kWidth = 56;

/// images/{plain.png,turned.jpg} and their masks by leaf_infer in masks/.
struct ProgramsMasks : TinyProject {
  ProgramsMasks() {
    with_model();
    std::filesystem::create_directories(*this / "images");
    const at::Tensor rgb = pixels();
    data::write_png(*this / "images/plain.png", rgb);
    data::write_jpeg(*this / "jpeg.jpg", rgb);
    write_file(*this / "images/turned.jpg",
               test::with_exif(read_file(*this / "jpeg.jpg"), 6, false));
    const test::Outcome outcome = test::run_cpu(
        "leaf_infer",
        {"--model", path("model"), "--input", path("images"), "--output", path("masks")});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  }

  static at::Tensor pixels() {
    return apps::make_phantom(64, 3, 1)
        .image.narrow(0, 0, kHeight)
        .narrow(1, 0, kWidth)
        .contiguous();
  }

  at::Tensor mask(const std::string& name) const {
    return data::read_mask(*this / ("masks/" + name + ".png"));
  }
};

ModelHandle load(const TinyProject& project) {
  leaf_model* model = nullptr;
  EXPECT_EQ(leaf_load(project.path("model").c_str(), nullptr, &model), LEAF_OK)
      << leaf_last_error();
  return {model, &leaf_free};
}

at::Tensor mask_of(const leaf_result* result) {
  return at::from_blob(const_cast<std::uint8_t*>(leaf_result_mask(result)),
                       {leaf_result_height(result), leaf_result_width(result)}, at::kByte)
      .clone();
}

ResultHandle segment_file(const ModelHandle& model, const std::string& path) {
  leaf_result* result = nullptr;
  EXPECT_EQ(leaf_segment_file(model.get(), path.c_str(), &result), LEAF_OK) << leaf_last_error();
  return {result, &leaf_result_free};
}

/// Expects a status and one line that holds `part`.
void expect_failure(leaf_status status, leaf_status expected, const std::string& part) {
  EXPECT_EQ(status, expected) << leaf_last_error();
  const std::string message = leaf_last_error();
  EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

/// The pixels of a binary PGM file.
at::Tensor read_pgm(const std::filesystem::path& path) {
  const std::string bytes = read_file(path);
  const std::string header = str("P5\n", kWidth, " ", kHeight, "\n255\n");
  EXPECT_TRUE(bytes.starts_with(header)) << path;
  const at::Tensor mask = at::empty({kHeight, kWidth}, at::kByte);
  EXPECT_EQ(bytes.size(), header.size() + static_cast<std::size_t>(mask.numel()));
  std::memcpy(mask.mutable_data_ptr(), bytes.data() + header.size(),
              std::min<std::size_t>(bytes.size() - header.size(), mask.numel()));
  return mask;
}

}  // namespace

TEST(CApi, GivesTheProgramsMasks) {
  const ProgramsMasks project;
  const ModelHandle model = load(project);
  EXPECT_EQ(leaf_resolution(model.get()), 64);
  for (const std::string name : {"plain.png", "turned.jpg"}) {
    const std::string path = project.path("images/" + name);
    const std::string stem = name.substr(0, name.find('.'));
    const at::Tensor expected = project.mask(stem);
    const ResultHandle of_file = segment_file(model, path);
    EXPECT_TRUE(at::equal(mask_of(of_file.get()), expected)) << name;
    const std::string bytes = read_file(path);
    leaf_result* of_bytes = nullptr;
    ASSERT_EQ(leaf_segment_bytes(model.get(), bytes.data(), bytes.size(), stem.c_str(), &of_bytes),
              LEAF_OK)
        << leaf_last_error();
    const ResultHandle owner{of_bytes, &leaf_result_free};
    EXPECT_TRUE(at::equal(mask_of(of_bytes), expected)) << name;
  }
}

TEST(CApi, SegmentsSeveralImagesWithRowsOfAnyLength) {
  const ProgramsMasks project;
  const ModelHandle model = load(project);
  const at::Tensor rgb = ProgramsMasks::pixels();
  const at::Tensor padded = at::constant_pad_nd(rgb, {0, 0, 0, 5});
  const at::Tensor other = apps::make_phantom(48, 3, 2).image.contiguous();
  const leaf_image images[] = {
      {rgb.const_data_ptr<std::uint8_t>(), kHeight, kWidth, 0, "plain"},
      {other.const_data_ptr<std::uint8_t>(), 48, 48, 0, nullptr},
      {padded.const_data_ptr<std::uint8_t>(), kHeight, kWidth, 3 * (kWidth + 5), "plain"}};
  leaf_result* results[3] = {};
  ASSERT_EQ(leaf_segment_images(model.get(), images, 3, results), LEAF_OK) << leaf_last_error();
  const at::Tensor expected = project.mask("plain");
  EXPECT_TRUE(at::equal(mask_of(results[0]), expected));
  EXPECT_TRUE(at::equal(mask_of(results[2]), expected));
  EXPECT_EQ(leaf_result_height(results[1]), 48);
  const float* probability = leaf_result_probability(results[0]);
  for (std::int64_t i = 0; i < kHeight * kWidth; ++i) {
    ASSERT_TRUE(probability[i] >= 0 && probability[i] <= 1) << probability[i];
  }
  for (leaf_result* result : results) {
    leaf_result_free(result);
  }
}

TEST(CApi, NamesTheClassesWhoseNumbersAMaskHas) {
  const TinyProject project;
  project.with_model();
  const auto file = project / "model/preprocessing.json";
  auto preprocessing = project.json("model/preprocessing.json");
  preprocessing["classes"] = {"background=255", "disc=128", "cup=0"};
  write_file(file, preprocessing.dump());
  const ModelHandle model = load(project);
  ASSERT_EQ(leaf_class_count(model.get()), 3);
  EXPECT_STREQ(leaf_class_name(model.get(), 0), "background");
  EXPECT_STREQ(leaf_class_name(model.get(), 2), "cup");
  EXPECT_EQ(leaf_class_name(model.get(), 3), nullptr);
  EXPECT_EQ(leaf_class_name(model.get(), -1), nullptr);
  const ResultHandle result = segment_file(model, project.path("data/images/0001.png"));
  EXPECT_LE(mask_of(result.get()).max().item<int>(), 2);
}

TEST(CApi, SaysWhatIsWrong) {
  const ProgramsMasks project;
  const ModelHandle model = load(project);
  leaf_model* none = nullptr;
  leaf_result* result = nullptr;
  expect_failure(leaf_load("no-such-model", nullptr, &none), LEAF_WEIGHTS_ERROR, "no-such-model");
  expect_failure(leaf_load(nullptr, nullptr, &none), LEAF_INVALID_ARGUMENT, "folder");
  leaf_options options = leaf_default_options();
  options.device = "abacus";
  expect_failure(leaf_load(project.path("model").c_str(), &options, &none), LEAF_INVALID_ARGUMENT,
                 "abacus");
  options = leaf_default_options();
  options.struct_size = 4;
  expect_failure(leaf_load(project.path("model").c_str(), &options, &none), LEAF_INVALID_ARGUMENT,
                 "leaf_default_options()");
  EXPECT_EQ(none, nullptr);
  expect_failure(leaf_segment_file(model.get(), project.path("nothing.png").c_str(), &result),
                 LEAF_DATA_ERROR, "nothing.png");
  expect_failure(leaf_segment_bytes(model.get(), "text", 4, "scan", &result), LEAF_DATA_ERROR,
                 "scan");
  expect_failure(leaf_segment_bytes(model.get(), "", 0, nullptr, &result), LEAF_DATA_ERROR,
                 "empty");
  const std::uint8_t pixel[3] = {};
  const leaf_image image{pixel, 1, 0, 0, nullptr};
  expect_failure(leaf_segment_images(model.get(), &image, 1, &result), LEAF_INVALID_ARGUMENT,
                 "width 0");
  EXPECT_EQ(result, nullptr);
  leaf_free(nullptr);
  leaf_result_free(nullptr);
}

TEST(CApi, TenThreadsShareAModel) {
  const ProgramsMasks project;
  const ModelHandle model = load(project);
  const at::Tensor plain = project.mask("plain");
  const at::Tensor turned = project.mask("turned");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 10; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3; ++i) {
        const bool first = (t + i) % 2 == 0;
        const ResultHandle result =
            segment_file(model, project.path(first ? "images/plain.png" : "images/turned.jpg"));
        wrong += at::equal(mask_of(result.get()), first ? plain : turned) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST(CExample, WritesTheProgramsMasks) {
  const ProgramsMasks project;
  const test::Outcome outcome = test::run_program(
      LEAF_SEGMENT_C,
      {project.path("model"), project.path("images/plain.png"), project.path("plain.pgm")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_TRUE(at::equal(read_pgm(project / "plain.pgm"), project.mask("plain")));
  const test::Outcome failed = test::run_program(
      LEAF_SEGMENT_C, {project.path("model"), project.path("nothing.png"), project.path("x.pgm")});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_NE(failed.err.find("nothing.png"), std::string::npos) << failed.err;
}

TEST(PythonExample, WritesTheProgramsMasks) {
  const std::string python = "/usr/bin/python3";
  if (test::run_program(python, {"-c", "import numpy"}).exit_code != 0) {
    GTEST_SKIP() << python << " has no numpy (Debian: python3-numpy)";
  }
  const ProgramsMasks project;
  ASSERT_EQ(setenv("LEAF_C_LIBRARY", LEAF_C_LIBRARY, 1), 0);
  const test::Outcome outcome = test::run_program(
      python, {LEAF_SOURCE_DIR "/examples/python/segment.py", project.path("model"),
               project.path("images/turned.jpg"), project.path("turned.npy")});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string bytes = read_file(project / "turned.npy");
  const at::Tensor expected = project.mask("turned");
  EXPECT_NE(bytes.find(str("'shape': (", expected.size(0), ", ", expected.size(1), ")")),
            std::string::npos);
  const auto pixels = static_cast<std::size_t>(expected.numel());
  ASSERT_GT(bytes.size(), pixels);
  EXPECT_EQ(bytes.substr(bytes.size() - pixels),
            std::string(reinterpret_cast<const char*>(expected.const_data_ptr()), pixels));
}

}  // namespace leaf
