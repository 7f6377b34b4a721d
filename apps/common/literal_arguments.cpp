#include "common/literal_arguments.h"

#include <CLI/CLI.hpp>
#include <utility>
#include <vector>

namespace leaf::apps {
namespace {

// A list ends in a bracket: one mark behind it hides that, and every option takes it off again.
constexpr char kMark = '\x01';

std::string marked(std::string word) {
  if (word.ends_with(']') || word.ends_with(kMark)) {
    word += kMark;
  }
  return word;
}

std::string unmarked(std::string word) {
  if (word.ends_with(kMark)) {
    word.pop_back();
  }
  return word;
}

void take_marks_off(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    option->transform(CLI::Validator(
        [](std::string& word) {
          word = unmarked(std::move(word));
          return std::string{};
        },
        ""));
  }
  for (CLI::App* command : app.get_subcommands({})) {
    take_marks_off(*command);
  }
}

}  // namespace

void parse_literally(CLI::App& app, int argc, const char* const* argv) {
  take_marks_off(app);
  std::vector<std::string> words;  // CLI11 wants the last word first
  for (int i = argc - 1; i > 0; --i) {
    words.push_back(marked(argv[i]));
  }
  app.parse(std::move(words));
}

std::string as_typed(std::string word) {
  std::erase(word, kMark);
  return word;
}

}  // namespace leaf::apps
