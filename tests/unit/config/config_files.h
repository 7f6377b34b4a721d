#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "support/temporary_folder.h"

namespace leaf::config {

/// Configuration files in a folder of their own. In error messages the folder is left out.
class ConfigFiles : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& content) {
    write_file(folder_ / name, content);
    return folder_ / name;
  }

  /// The message of the ConfigError that resolving refuge.yaml with that content gives.
  std::string error_of(const std::string& content, const std::vector<std::string>& overrides = {}) {
    return error_in(write("refuge.yaml", content), overrides);
  }

  std::string error_in(const std::filesystem::path& file,
                       const std::vector<std::string>& overrides = {}) {
    try {
      resolve(file, overrides);
    } catch (const ConfigError& failure) {
      return without_folder(failure.what());
    }
    return "no error";
  }

  std::string without_folder(std::string text) const {
    const std::string prefix = folder_.path().string() + "/";
    for (auto at = text.find(prefix); at != std::string::npos; at = text.find(prefix)) {
      text.erase(at, prefix.size());
    }
    return text;
  }

  test::TemporaryFolder folder_;
};

/// Sets (or, without a value, unsets) an environment variable for the length of the scope.
class ScopedVariable {
 public:
  ScopedVariable(std::string name, const std::optional<std::string>& value)
      : name_(std::move(name)) {
    if (const char* old = std::getenv(name_.c_str())) {
      old_ = old;
    }
    assign(value);
  }
  ~ScopedVariable() { assign(old_); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  void assign(const std::optional<std::string>& value) {
    if (value) {
      ::setenv(name_.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name_.c_str());
    }
  }

  std::string name_;
  std::optional<std::string> old_;
};

}  // namespace leaf::config
