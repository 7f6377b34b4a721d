#pragma once

#include <optional>
#include <string>
#include <vector>

#include "leaf/data/data_config.h"
#include "leaf/data/pair.h"

namespace leaf::data {

/// The published division of a data set that has no test part of its own, as shares of its list:
/// the first `train` of all images train, the last are the test part, `unused` between them are
/// neither.
struct PublishedProtocol {
  double train = 1.0;
  double unused = 0.0;
};

/// One entry of the registry: a name for data.dataset, and how its files are found.
struct DatasetLayout {
  std::string name;
  PairList (*find)(const DataConfig& config);
  std::optional<PublishedProtocol> published;
};

/// All known layouts; docs, --help and error messages list them from here.
const std::vector<DatasetLayout>& dataset_layouts();

/// Throws ConfigError with the nearest name and the list when there is no layout of that name.
const DatasetLayout& dataset_layout(const std::string& name);

/// The image and mask files of config.dataset below config.root; throws DataError when folders or
/// partners are missing, naming what was expected.
PairList list_pairs(const DataConfig& config);

}  // namespace leaf::data
