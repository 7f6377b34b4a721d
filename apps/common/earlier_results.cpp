#include "common/earlier_results.h"

#include "leaf/core/log.h"
#include "leaf/core/strings.h"

namespace leaf::apps {

void note_earlier_results(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "summary.json")) {
    log::info(str("replacing earlier results in '", folder.string(), "'"));
  }
}

}  // namespace leaf::apps
