#include "leaf_serve/request.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <utility>

#include "leaf/core/strings.h"
#include "leaf/data/image_io.h"

namespace leaf::apps {
namespace {

constexpr int kBadRequest = 400;
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kBlanks = " \t";

[[noreturn]] void refuse(const std::string& message) { throw RequestError(kBadRequest, message); }

double parse_threshold(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || !(value >= 0 && value <= 1)) {
    refuse(str("threshold: '", printable(text), "' is no number from 0 to 1"));
  }
  return value;
}

template <typename Enum>
Enum parse_word(const std::string& text, const std::string& what) {
  try {
    return parse_enum<Enum>(printable(text), what);
  } catch (const ConfigError& error) {
    refuse(error.what());
  }
}

data::MaskOrientation parse_orientation(const std::string& text) {
  const auto orientation = parse_word<data::MaskOrientation>(text, "orientation");
  if (orientation == data::MaskOrientation::kAuto) {
    refuse("orientation: 'auto' is not one of stored, displayed");
  }
  return orientation;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  return begin == std::string_view::npos
             ? std::string_view()
             : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

/// The value of a parameter, and where the rest of the header begins.
struct Value {
  std::string text;
  std::size_t end = 0;
};

/// A word, or a text in quotes, in which a backslash stands before quotes and backslashes.
Value read_value(std::string_view header, std::size_t at) {
  if (at >= header.size() || header[at] != '"') {
    const std::size_t end = std::min(header.find(';', at), header.size());
    return {std::string(trimmed(header.substr(std::min(at, end), end - std::min(at, end)))), end};
  }
  Value value{"", at + 1};
  while (value.end < header.size() && header[value.end] != '"') {
    const bool escaped = header[value.end] == '\\' && value.end + 1 < header.size();
    value.text += header[value.end + (escaped ? 1 : 0)];
    value.end += escaped ? 2 : 1;
  }
  value.end = std::min(value.end + 1, header.size());
  return value;
}

/// A parameter of a header's value: of `form-data; name="image"` "name" is "image".
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
  for (std::size_t at = header.find(';'); at != std::string_view::npos;) {
    const std::size_t equals = header.find('=', at);
    if (equals == std::string_view::npos) {
      break;
    }
    const std::string key = to_lower(trimmed(header.substr(at + 1, equals - at - 1)));
    Value value = read_value(header, equals + 1);
    if (key == name) {
      return std::move(value.text);
    }
    at = header.find(';', value.end);
  }
  return std::nullopt;
}

std::string_view media_type(std::string_view content_type) {
  return trimmed(content_type.substr(0, content_type.find(';')));
}

bool is_multipart(std::string_view content_type) {
  return to_lower(media_type(content_type)) == "multipart/form-data";
}

/// What a part's headers say of it; empty where they do not.
std::string_view disposition_of(std::string_view headers) {
  constexpr std::string_view kName = "content-disposition:";
  while (!headers.empty()) {
    const std::size_t end = std::min(headers.find(kLineEnd), headers.size());
    const std::string_view line = headers.substr(0, end);
    if (to_lower(line.substr(0, kName.size())) == kName) {
      return line.substr(kName.size());
    }
    headers.remove_prefix(std::min(end + kLineEnd.size(), headers.size()));
  }
  return {};
}

/// Takes the text up to `mark`, and the mark, off `text`; throws where there is none.
std::string_view take_until(std::string_view& text, std::string_view mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) {
    refuse("the body is no complete multipart/form-data: send it as `curl -F image=@FILE` does");
  }
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + mark.size());
  return taken;
}

Upload find_part(std::string_view body, std::string_view content_type) {
  constexpr std::size_t kLongest = 70;  // RFC 2046
  const std::string boundary = parameter(content_type, "boundary").value_or("");
  if (boundary.empty() || boundary.size() > kLongest) {
    refuse("the Content-Type multipart/form-data has no boundary of 1 to 70 characters");
  }
  const std::string delimiter = "\r\n--" + boundary;
  take_until(body, delimiter.substr(kLineEnd.size()));
  while (!body.starts_with("--")) {
    take_until(body, kLineEnd);
    // Without headers a part begins with the empty line that ends them.
    const std::string_view headers =
        body.starts_with(kLineEnd) ? take_until(body, kLineEnd) : take_until(body, "\r\n\r\n");
    const std::string_view content = take_until(body, delimiter);
    const std::string_view disposition = disposition_of(headers);
    if (parameter(disposition, "name") == "image") {
      return {content, parameter(disposition, "filename").value_or("")};
    }
  }
  refuse("the body has no part 'image': send it as `curl -F image=@FILE` does");
}

}  // namespace

SegmentQuery parse_query(const std::multimap<std::string, std::string>& parameters) {
  SegmentQuery query;
  const std::map<std::string, std::function<void(const std::string&)>> readers{
      {"output", [&](const auto& text) { query.output = parse_word<Output>(text, "output"); }},
      {"threshold", [&](const auto& text) { query.threshold = parse_threshold(text); }},
      {"name", [&](const auto& text) { query.name = text; }},
      {"orientation", [&](const auto& text) { query.orientation = parse_orientation(text); }}};
  for (const auto& [key, value] : parameters) {
    const auto reader = readers.find(key);
    if (reader == readers.end()) {
      refuse(str("unknown parameter '", printable(key),
                 "'; there are name, orientation, output, threshold"));
    }
    if (parameters.count(key) > 1) {
      refuse(str("the parameter '", key, "' is there twice"));
    }
    reader->second(value);
  }
  return query;
}

bool is_image_type(std::string_view content_type) {
  const std::string type = to_lower(media_type(content_type));
  return type.empty() || type.starts_with("image/") || type == "application/octet-stream" ||
         is_multipart(content_type);
}

Upload find_upload(std::string_view body, std::string_view content_type) {
  const Upload upload =
      is_multipart(content_type) ? find_part(body, content_type) : Upload{body, ""};
  if (upload.bytes.empty()) {
    refuse("there is no image in the body");
  }
  return upload;
}

std::string noise_name(const std::string& file_name) {
  const std::filesystem::path path = std::filesystem::path(file_name).filename();
  return data::has_image_extension(path) ? path.stem().string() : path.string();
}

}  // namespace leaf::apps
