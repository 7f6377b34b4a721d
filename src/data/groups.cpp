#include "groups.h"

#include <algorithm>

#include "core/csv.h"
#include "core/look_alike.h"
#include "leaf/core/error.h"
#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf::data {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void fail(const fs::path& file, std::size_t line, const std::string& reason) {
  throw DataError(str("'", file.string(), "' line ", line, ": ", reason));
}

void check_header(const fs::path& file, const TableRow& header, const std::vector<Pair>& pairs) {
  const bool is_row = std::any_of(pairs.begin(), pairs.end(), [&](const Pair& pair) {
    return pair.name == header.fields.front();
  });
  if (is_row) {
    fail(file, header.line,
         str("the first line must name the columns name,group, but '", header.fields.front(),
             "' is an image; put a line name,group before it"));
  }
}

void warn_of_alike(const fs::path& file, const std::map<std::string, std::string>& groups) {
  std::map<std::string, std::string> seen;
  for (const auto& [name, group] : groups) {
    const auto [other, is_new] = seen.emplace(look_alike_key(group), group);
    if (!is_new && other->second != group) {
      log::warn(str("'", file.string(), "': the groups '", other->second, "' and '", group,
                    "' differ in upper and lower case or in Unicode's form alone; they are taken "
                    "for two"));
      return;
    }
  }
}

}  // namespace

std::map<std::string, std::string> read_groups(const fs::path& file,
                                               const std::vector<Pair>& pairs) {
  const Table table = read_table(file, {.names = {"name", "group"}, .other_names = true});
  check_header(file, table.header, pairs);
  std::map<std::string, std::string> groups;
  std::map<std::string, std::size_t> lines;
  for (const TableRow& row : table.rows) {
    const std::string& name = row.fields[0];
    const std::string& group = row.fields[1];
    if (name.empty() || group.empty()) {
      fail(file, row.line,
           name.empty() ? "the name is empty" : str("the group of '", name, "' is empty"));
    }
    const auto [other, is_new] = groups.emplace(name, group);
    if (!is_new) {
      fail(file, row.line,
           str("'", name, "' has the group '", other->second, "' in line ", lines.at(name),
               " already; keep one of the two"));
    }
    lines.emplace(name, row.line);
  }
  warn_of_alike(file, groups);
  return groups;
}

}  // namespace leaf::data
