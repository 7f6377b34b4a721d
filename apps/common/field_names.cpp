#include "common/field_names.h"

#include "leaf/config/key_names.h"

namespace leaf::apps {

std::vector<FieldName> field_names() {
  std::vector<FieldName> names = config::key_names();
  names.insert(names.end(), {
                                {"RunStart::resume", "--resume"},
                                {"RunStart::allow_changes", "--allow-changes"},
                                {"NameAffix::prefix", "--truth-prefix"},
                                {"NameAffix::suffix", "--truth-suffix"},
                                {"BreakdownOptions::by_size", "--by-size"},
                                {"FolderInferenceOptions::output", "--output"},
                                {"InputSearch::dicom_series", "--dicom-series"},
                                {"PictureLimits::max_pixels", "leaf_infer --max-pixels"},
                                {"VolumeLimits::max_voxels", "leaf_infer --max-voxels"},
                                {"set VolumeOptions::axis to auto", "give --slice-axis auto"},
                                {"WatchOptions::folder", "--watch"},
                                {"SaveOptions::format", "--format"},
                                {"ImportOptions::description", "--config"},
                                {"ImportOptions::num_heads", "--num-heads"},
                                {"ImportOptions::prefer_ema", "--ema"},
                                {"ImportOptions::random_seed", "--init-missing random"},
                                {"ImportOptions::teacher", "--teacher"},
                                {"leaf::read_activations", "--activations"},
                                {"leaf::import_weights", "`leaf_convert import`"},
                                {"log::Level::kVerbose", "--verbose"},
                            });
  return names;
}

std::vector<FieldName> field_names(const config::Resolved& resolved) {
  std::vector<FieldName> names = field_names();
  if (const auto variable = resolved.unset_variables.find("data.root");
      variable != resolved.unset_variables.end()) {
    names.push_back({"set DataConfig::root", "set " + variable->second + " or data.root"});
  }
  return names;
}

}  // namespace leaf::apps
