#include <iostream>
#include <string_view>

#include "leaf/leaf.h"

int main() {
  leaf::log::set_sink([](leaf::log::Severity, std::string_view message) {
    std::cout << "log: " << message << '\n';
  });
  std::cout << "leaf " << leaf::version() << '\n';
  leaf::log::info("one line");
  try {
    leaf::Segmenter::load("no-such-model");
  } catch (const leaf::Error& failure) {
    std::cout << "no model: " << failure.what() << '\n';
  }
}
