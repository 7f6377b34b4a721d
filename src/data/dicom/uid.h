#pragma once

#include <string>

namespace leaf::data::dicom {

/// A unique identifier of its own: "2.25." and a random UUID as a decimal number.
std::string new_uid();

}  // namespace leaf::data::dicom
