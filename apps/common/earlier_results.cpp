#include "common/earlier_results.h"

#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf::apps {

namespace fs = std::filesystem;

void note_earlier_results(const fs::path& folder, const std::vector<std::string>& not_written,
                          const char* summary) {
  if (!fs::exists(folder / summary)) {
    return;
  }
  log::info(str("replacing earlier results in '", folder.string(), "'"));
  std::vector<std::string> staying;
  for (const std::string& name : not_written) {
    if (fs::exists(folder / name)) {
      staying.push_back(str("'", name, "'"));
    }
  }
  if (!staying.empty()) {
    log::warn(str(join(staying, ", "), " in '", folder.string(),
                  "' are of an earlier call and do not fit what is written now"));
  }
}

}  // namespace leaf::apps
