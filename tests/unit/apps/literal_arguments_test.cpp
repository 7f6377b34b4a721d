#include "common/literal_arguments.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

namespace leaf::apps {
namespace {

using Words = std::vector<std::string>;

struct Parsed {
  std::vector<std::filesystem::path> input;
  std::filesystem::path output;
  Words settings;
  Words positional;
};

Parsed parse(std::vector<const char*> words) {
  CLI::App app{"Tests.", "test"};
  Parsed parsed;
  app.add_option("--input", parsed.input);
  app.add_option("--output", parsed.output);
  app.add_option("--set", parsed.settings);
  auto* command = app.add_subcommand("import");
  app.require_subcommand(0, 1);
  command->add_option("paths", parsed.positional);
  words.insert(words.begin(), "test");
  parse_literally(app, static_cast<int>(words.size()), words.data());
  return parsed;
}

Words texts(const std::vector<std::filesystem::path>& paths) {
  return {paths.begin(), paths.end()};
}

}  // namespace

TEST(LiteralArguments, EveryWordIsTakenAsItIs) {
  const Parsed parsed = parse({"--input", "[P001]", "[x,y]", "[]", "a b", "c,d", "\"q\"", "{}",
                               "e\x01", "f]\x01", "--output=[out]", "--set", "a=[1,2]", "b=]"});
  EXPECT_EQ(texts(parsed.input),
            (Words{"[P001]", "[x,y]", "[]", "a b", "c,d", "\"q\"", "{}", "e\x01", "f]\x01"}));
  EXPECT_EQ(parsed.output, "[out]");
  EXPECT_EQ(parsed.settings, (Words{"a=[1,2]", "b=]"}));
}

TEST(LiteralArguments, RepeatedOptionsEqualSignsAndSubCommandsToo) {
  EXPECT_EQ(texts(parse({"--input=[a,b]", "--input", "[c]"}).input), (Words{"[a,b]", "[c]"}));
  EXPECT_EQ(parse({"import", "[m,n]", "unet=[k]", "import"}).positional,
            (Words{"[m,n]", "unet=[k]", "import"}));
}

TEST(LiteralArguments, MessagesShowWhatWasTyped) {
  try {
    parse({"--output", "a", "b]"});
    FAIL() << "nothing takes the second word";
  } catch (const CLI::ParseError& failure) {
    EXPECT_EQ(as_typed(failure.what()).find('\x01'), std::string::npos) << failure.what();
  }
}

}  // namespace leaf::apps
