#include "leaf/core/field_names.h"

#include <gtest/gtest.h>

#include "leaf/core/error.h"
#include "leaf/core/log.h"

namespace leaf {
namespace {

const std::vector<FieldName> kNames{{"Options::root", "data.root"},
                                    {"Options::root_of", "data.other"},
                                    {"set Options::root", "set ROOT or data.root"}};

TEST(FieldNames, WholeNamesAreShownAsTheyAreTyped) {
  EXPECT_EQ(with_names("Options::root 'x'; check Options::root", kNames),
            "data.root 'x'; check data.root");
  EXPECT_EQ(with_names("Options::root_of", kNames), "data.other");
  EXPECT_EQ(with_names("MyOptions::root, Options::roots", kNames),
            "MyOptions::root, Options::roots");
  EXPECT_EQ(with_names("", kNames), "");
  EXPECT_EQ(with_names("Options::root", {}), "Options::root");
}

TEST(FieldNames, TheLongestCounts) {
  EXPECT_EQ(with_names("it is gone; set Options::root", kNames),
            "it is gone; set ROOT or data.root");
}

TEST(FieldNames, WhatPeopleReadHasThem) {
  std::string logged;
  log::set_sink([&](log::Severity, std::string_view line) { logged = line; });
  set_field_names(kNames);
  log::warn("Options::root is odd");
  const ConfigError failure("Options::root is wrong");
  EXPECT_EQ(plain_message(failure), "data.root is wrong");
  set_field_names({});
  log::set_sink({});
  EXPECT_EQ(logged, "data.root is odd");
  EXPECT_EQ(plain_message(failure), "Options::root is wrong");
}

}  // namespace
}  // namespace leaf
