#include <filesystem>
#include <string>
#include <vector>

#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf/data/maps.h"

namespace leaf::data {

// Each kind of file in a file of its own.
MapWriter png8_writer();
MapWriter png16_writer();
MapWriter npy_writer();

const std::vector<MapWriter>& map_writers() {
  static const std::vector<MapWriter> writers{png8_writer(), png16_writer(), npy_writer()};
  return writers;
}

const MapWriter* find_map_writer(const std::string& name, const std::string& what) {
  std::vector<std::string> known{"none"};
  for (const MapWriter& writer : map_writers()) {
    if (writer.name == name) {
      return &writer;
    }
    known.push_back(writer.name);
  }
  if (name == known.front()) {
    return nullptr;
  }
  throw ConfigError(
      str(what, ": '", name, "' is not one of ", join(known, ", "), did_you_mean(name, known)));
}

void write_map(const std::filesystem::path& path, const at::Tensor& values,
               const MapWriter& writer) {
  write_file(path, writer.encode(values));
}

}  // namespace leaf::data
