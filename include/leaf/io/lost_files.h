#pragma once

#include <string_view>

namespace leaf::io {

/// From now on a program that reads a mapped weight file which has been cut short, or whose disk
/// fails, ends with one line on stderr ("PROGRAM: error: ...") and `exit_code`, instead of SIGBUS
/// without a word.
void explain_lost_files(std::string_view program, int exit_code);

}  // namespace leaf::io
