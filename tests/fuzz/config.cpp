#include "leaf/config/load.h"
#include "leaf/core/error.h"
#include "memory_file.h"
#include "targets.h"

void leaf::fuzz::config(std::string_view bytes) {
  const MemoryFile file(bytes);
  try {
    config::dump_yaml(config::load_config(file.path()));
  } catch (const ConfigError&) {
  } catch (const FileError&) {  // of the file that `base` names
  }
}
