#include <iostream>

#include "leaf/config/load.h"
#include "leaf/train/trainer.h"

// training CONFIG: says for how many steps a configuration trains.
int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: training CONFIG\n";
    return 2;
  }
  std::cout << leaf::config::load_config(argv[1]).train.max_train_steps << '\n';
  return 0;
}
