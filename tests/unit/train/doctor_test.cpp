#include "leaf/train/doctor.h"

#include <gtest/gtest.h>

namespace leaf {
namespace {

constexpr const char* kOld =
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023";
constexpr const char* kNew =
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build";

TEST(Doctor, ADriverThatIsTooOldIsSaid) {
  const Finding finding = judge_driver(kOld, true);
  EXPECT_EQ(finding.state, kOld);
  EXPECT_EQ(finding.advice, "CUDA 13.0 needs driver 580 or newer: update NVIDIA's driver");
  EXPECT_TRUE(judge_driver(kNew, true).fine());
}

TEST(Doctor, DriverAndBuildGoTogether) {
  EXPECT_TRUE(judge_driver("", false).fine());
  EXPECT_NE(judge_driver("", true).advice.find("install"), std::string::npos);
  EXPECT_NE(judge_driver(kNew, false).advice.find("preset cuda"), std::string::npos);
}

TEST(Doctor, ACardWithoutKernelsIsSaid) {
  const Finding old = judge_card("NVIDIA T4", 75, "80 90");
  EXPECT_EQ(old.state, "NVIDIA T4, compute capability 7.5");
  EXPECT_EQ(old.advice,
            "this build's kernels are for 80 90: build with -DCMAKE_CUDA_ARCHITECTURES=75");
  for (const int capability : {80, 86, 89, 90, 100, 120}) {
    EXPECT_TRUE(judge_card("x", capability, "80 90").fine()) << capability;
  }
}

TEST(Doctor, MachineCodeAloneIsForOneGeneration) {
  EXPECT_TRUE(judge_card("x", 86, "80-real").fine());
  EXPECT_FALSE(judge_card("x", 90, "80-real").fine());
  EXPECT_FALSE(judge_card("x", 80, "86-real").fine());
  EXPECT_TRUE(judge_card("x", 90, "80-real 80-virtual").fine());
  EXPECT_TRUE(judge_card("x", 90, "90a").fine());
  EXPECT_FALSE(judge_card("x", 100, "90a").fine());
  EXPECT_TRUE(judge_card("x", 100, "native").fine());
  EXPECT_FALSE(judge_card("x", 100, "").fine());
}

TEST(Doctor, ToolkitsOfTwoMajorVersionsDoNotGoTogether) {
  EXPECT_TRUE(judge_toolkit("13.0.88", 13000).fine());
  EXPECT_TRUE(judge_toolkit("13.1.2", 13000).fine());
  const Finding finding = judge_toolkit("12.4.131", 13000);
  EXPECT_EQ(finding.state, "compiled with 12.4.131, LibTorch with 13.0");
  EXPECT_NE(finding.advice.find("CUDA toolkit 13.0"), std::string::npos) << finding.advice;
}

}  // namespace
}  // namespace leaf
