#pragma once

#include <vector>

#include "config/schema.h"
#include "leaf/config/config.h"

namespace leaf::config {

using Fields = std::vector<Field>;

void append(Fields& fields, Fields more);

/// The keys of single sections, for schema().
Fields data_fields(data::DataConfig& data);
Fields train_fields(TrainSection& train);
Fields validation_fields(ValidationSection& validation);

}  // namespace leaf::config
