#pragma once

#include <string>

namespace CLI {
class App;
}

namespace leaf::apps {

/// Parses the command line so that every word is taken as it is. CLI11 takes a word "[a,b]" for a
/// list of two, but a folder may be called "[P001]". Throws what CLI11 throws.
void parse_literally(CLI::App& app, int argc, const char* const* argv);

/// A word that CLI11 gives back, in an error message for instance, as the user typed it.
std::string as_typed(std::string word);

}  // namespace leaf::apps
