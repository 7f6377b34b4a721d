#pragma once

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "leaf/core/strings.h"
#include "support/temporary_folder.h"

namespace leaf::test {

/// Chromium's program; empty where there is none.
inline std::string browser() {
  for (const char* name :
       {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"}) {
    if (std::filesystem::exists(name)) {
      return name;
    }
  }
  return "";
}

inline std::string output_of(const std::string& command) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string output;
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
    output.append(buffer, got);
  }
  ::pclose(pipe);
  return output;
}

/// What encodeURIComponent made of a text.
inline std::string decoded_component(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      result += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result;
}

/// A page around another, `page`, in a frame of this width: a window is never narrower than 500
/// pixels, a frame may be. What the inner page posts as a message, the outer one shows for
/// seen_in_browser().
inline std::string page_around(const std::string& page, int width) {
  return str(R"html(<!DOCTYPE html><body><script>
addEventListener("message", (event) => {
  const note = document.createElement("pre");
  note.textContent = "SEEN" + encodeURIComponent(event.data) + "NEES";
  document.body.append(note);
});
</script><iframe src=")html",
             page, R"html(" style="border:0;height:800px;width:)html", width,
             "px\"></iframe></body>");
}

/// Opens a page_around() and gives the JSON that the page inside has posted; null where it says
/// nothing.
inline nlohmann::json seen_in_browser(const std::string& address) {
  const TemporaryFolder folder;
  const std::string dom = output_of(
      str("timeout 100 ", browser(), " --headless --no-sandbox --disable-gpu --no-first-run ",
          "--user-data-dir='", (folder / "profile").string(), "' --window-size=1300,800 ",
          "--virtual-time-budget=5000 --dump-dom '", address, "' 2>/dev/null"));
  const auto begin = dom.rfind("SEEN%7B");
  const auto end = dom.rfind("NEES</pre>");
  return begin == std::string::npos
             ? nlohmann::json()
             : nlohmann::json::parse(decoded_component(dom.substr(begin + 4, end - begin - 4)));
}

}  // namespace leaf::test
