#include "common/field_names.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "config/schema.h"

namespace leaf::apps {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& file) {
  std::ostringstream content;
  content << std::ifstream(file).rdbuf();
  return content.str();
}

/// The sources below a folder of the checkout.
std::vector<fs::path> sources(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(LEAF_SOURCE_DIR) / folder)) {
    if (entry.path().extension() == ".h" || entry.path().extension() == ".cpp") {
      files.push_back(entry.path());
    }
  }
  return files;
}

std::string all_of(const std::string& folder) {
  std::string text;
  for (const fs::path& file : sources(folder)) {
    text += content_of(file);
  }
  return text;
}

/// Every match of a pattern, or of its only group.
std::vector<std::string> matches(const std::string& text, const std::regex& expression, int group) {
  return {std::sregex_token_iterator(text.begin(), text.end(), expression, group), {}};
}

/// The literals of a source, without its comments.
std::vector<std::string> literals(const fs::path& file) {
  static const std::regex literal_pattern(R"rx("((?:[^"\\]|\\.)*)")rx");
  std::istringstream lines(content_of(file));
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line);) {
    const auto text = line.find_first_not_of(' ');
    if (line.find('"') == std::string::npos || line.compare(text, 2, "//") == 0 ||
        line.compare(text, 1, "#") == 0) {
      continue;
    }
    for (std::string& literal : matches(line, literal_pattern, 1)) {
      found.push_back(std::move(literal));
    }
  }
  return found;
}

/// Whether the word stands in the text, by itself.
bool has_word(const std::string& text, const std::string& word) {
  const auto continues = [&](std::size_t at) {
    return at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_');
  };
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    if (!(at > 0 && continues(at - 1)) && !continues(at + word.size())) {
      return true;
    }
  }
  return false;
}

std::vector<std::string> keys() {
  Config config;
  std::vector<std::string> keys;
  for (const config::Field& field : config::schema(config)) {
    if (field.key.find('.') != std::string::npos) {
      keys.push_back(field.key);
    }
  }
  return keys;
}

/// The library's own files whose words are its own: those of configurations, and what examines one
/// for its author, speak in keys.
std::vector<fs::path> own_sources() {
  std::vector<fs::path> files = sources("src");
  const std::vector<fs::path> headers = sources("include");
  files.insert(files.end(), headers.begin(), headers.end());
  std::erase_if(files, [](const fs::path& file) {
    return file.parent_path().filename() == "config" || file.filename() == "model_from_json.cpp" ||
           file.filename() == "doctor.cpp";
  });
  return files;
}

}  // namespace

TEST(FieldNames, TheLibraryNamesNeitherKeysNorOptions) {
  const std::regex option("(^|[ (`'])--[a-z]");
  const std::vector<std::string> known = keys();
  for (const fs::path& file : own_sources()) {
    for (const std::string& literal : literals(file)) {
      EXPECT_FALSE(std::regex_search(literal, option)) << file << ": " << literal;
      for (const std::string& key : known) {
        EXPECT_FALSE(has_word(literal, key)) << file << ": " << literal;
      }
    }
  }
}

TEST(FieldNames, WhateverMessagesNameIsInTheTable) {
  const std::vector<FieldName> names = field_names();
  const std::regex field_pattern("[A-Z]\\w+::[a-z]\\w+");
  for (const fs::path& file : own_sources()) {
    for (const std::string& literal : literals(file)) {
      for (const std::string& field : matches(literal, field_pattern, 0)) {
        const bool known = std::any_of(names.begin(), names.end(), [&](const FieldName& name) {
          return name.field.find(field) != std::string::npos;
        });
        EXPECT_TRUE(known) << file << ": " << literal;
      }
    }
  }
}

TEST(FieldNames, FieldsAreMembersOfTheLibrarysStructures) {
  const std::string headers = all_of("include") + all_of("src");
  for (const FieldName& name : field_names()) {
    for (const std::string& word : matches(name.field, std::regex("\\w+"), 0)) {
      EXPECT_TRUE(word == "and" || has_word(headers, word)) << name.field;
    }
  }
}

TEST(FieldNames, ShownAreKeysAndOptionsThatThereAre) {
  Config config;
  const auto fields = config::schema(config);
  const std::string programs = all_of("apps");
  for (const FieldName& name : field_names()) {
    const auto options = matches(name.shown, std::regex("--[a-z-]+"), 0);
    const bool is_key =
        config::find_field(fields, name.shown) != nullptr || config::is_section(fields, name.shown);
    EXPECT_TRUE(is_key || !options.empty() || name.shown.starts_with("`leaf_")) << name.shown;
    for (const std::string& option : options) {
      EXPECT_NE(programs.find("(\"" + option), std::string::npos) << option;
    }
  }
}

TEST(FieldNames, AVariableThatIsNotSetStandsBesideItsKey) {
  const std::string message = "DataConfig::root '/x' is not a folder; set DataConfig::root";
  config::Resolved resolved;
  EXPECT_EQ(with_names(message, field_names(resolved)),
            "data.root '/x' is not a folder; set data.root");
  resolved.unset_variables["data.root"] = "LEAF_DATA_DIR";
  EXPECT_EQ(with_names(message, field_names(resolved)),
            "data.root '/x' is not a folder; set LEAF_DATA_DIR or data.root");
}

}  // namespace leaf::apps
