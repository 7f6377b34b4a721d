#include <iostream>

#include "leaf/core/device.h"
#include "leaf/core/error.h"
#include "leaf/pipeline/segmenter.h"

int main() {
  std::cout << "leaf " << leaf::version() << '\n';
  try {
    leaf::Segmenter::load("no-such-model");
  } catch (const leaf::Error& failure) {
    std::cout << "no model: " << failure.what() << '\n';
  }
}
