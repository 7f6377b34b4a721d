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

}  // namespace
}  // namespace leaf
