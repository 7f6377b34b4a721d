#include <algorithm>
#include <cctype>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "data/dicom/structure.h"
#include "data/image_folder.h"
#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"
#include "readers/reader.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

/// The run of digits at `at`, without leading zeros; `at` moves behind it.
std::string_view take_number(std::string_view text, std::size_t& at) {
  while (at < text.size() && text[at] == '0') {
    ++at;
  }
  const std::size_t begin = at;
  while (at < text.size() && is_digit(text[at])) {
    ++at;
  }
  return text.substr(begin, at - begin);
}

}  // namespace

bool has_number_for_extension(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension.size() > 1 && std::all_of(extension.begin() + 1, extension.end(), is_digit);
}

ImageSize size_of(const at::Tensor& image) { return {image.size(0), image.size(1)}; }

bool has_image_extension(const fs::path& path) {
  const std::string extension = to_lower(path.extension().string());
  const auto has_it = [&](const Reader& reader) {
    return std::count(reader.extensions.begin(), reader.extensions.end(), extension) > 0;
  };
  return !is_hidden(path) && std::any_of(all_readers().begin(), all_readers().end(), has_it);
}

bool is_image_file(const fs::path& path) {
  const bool may_be_dicom =  // as scanners write them: IM1, or the object's UID
      !is_hidden(path) && (!path.has_extension() || has_number_for_extension(path));
  return has_image_extension(path) || (may_be_dicom && dicom::is_dicom_file(path));
}

bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const std::string_view x = take_number(a, i);
      const std::string_view y = take_number(b, j);
      if (x != y) {
        return x.size() != y.size() ? x.size() < y.size() : x < y;
      }
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i;
      ++j;
    }
  }
  const std::size_t rest_a = a.size() - i;
  const std::size_t rest_b = b.size() - j;
  return rest_a != rest_b ? rest_a < rest_b : a < b;  // "01" and "1" still need an order
}

std::vector<fs::path> list_images(const fs::path& folder, bool recursive) {
  return find_images(folder, {.recursive = recursive, .enter_results = true}).images;
}

}  // namespace leaf::data
