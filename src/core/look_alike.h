#pragma once

#include <string>
#include <string_view>

namespace leaf {

/// A key that is equal for names which people take for the same: letters and accents that are
/// written as one character or as two (Unicode's composed and decomposed forms), in upper or lower
/// case. Bytes that are no UTF-8 keep their value, but for ASCII's case.
std::string look_alike_key(std::string_view name);

}  // namespace leaf
