#include "core/csv.h"

#include "leaf/core/error.h"
#include "memory_file.h"
#include "targets.h"

void leaf::fuzz::csv(std::string_view bytes) {
  const MemoryFile file(bytes);
  try {
    for (const auto& row : read_csv(file.path())) {
      csv_row(row);
    }
  } catch (const DataError&) {  // a quote that is not closed
  }
  try {
    read_table(file.path(), {.names = {"name", "group"}, .other_names = true});
  } catch (const DataError&) {  // a table that is refused
  }
}
