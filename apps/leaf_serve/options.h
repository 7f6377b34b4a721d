#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "common/options.h"
#include "leaf/pipeline/segmenter.h"
#include "leaf_serve/service.h"

namespace leaf::apps {

struct ServeOptions {
  CommonOptions common;
  std::filesystem::path model;
  int port = 8080;
  std::filesystem::path token_file;
  std::string batch_size = "auto";
  int max_wait_ms = 5;
  double timeout_seconds = 30;
  SegmenterOptions segmenter;
  std::string noise = enum_text(SegmenterOptions{}.noise);
  ServiceOptions service;
};

/// `options` must outlive the parsing.
void add_serve_options(CLI::App& app, ServeOptions& options);

/// Puts what was typed into `segmenter` and `service`, and the token, of --token-file or of
/// LEAF_SERVE_TOKEN. Throws ConfigError for words that mean nothing, for a token that is too short,
/// and where others could reach the server without one.
void parse_words(ServeOptions& options);

}  // namespace leaf::apps
