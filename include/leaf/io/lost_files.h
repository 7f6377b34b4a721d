#pragma once

#include <string_view>

namespace leaf::io {

/// From now on a program that reads a mapped weight file which has been cut short, or whose disk
/// fails, ends with one line on stderr ("PROGRAM: error: ...") and exit code 2, instead of SIGBUS
/// without a word.
void explain_lost_files(std::string_view program);

}  // namespace leaf::io
