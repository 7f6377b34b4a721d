#include "leaf_serve/options.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdlib>

#include "common/segmenter_options.h"
#include "leaf/core/error.h"
#include "leaf/core/files.h"
#include "leaf/core/strings.h"
#include "leaf_serve/access.h"

namespace leaf::apps {
namespace {

constexpr const char* kTokenVariable = "LEAF_SERVE_TOKEN";

void add_address_options(CLI::App& app, ServeOptions& o) {
  app.add_option("--host", o.service.gate.host,
                 "Address to listen to; others than this machine's "
                 "own (0.0.0.0) need a token")
      ->capture_default_str();
  app.add_option("--port", o.port, "Port; 0: any that is free, which is printed")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--token-file", o.token_file,
                 "File whose first line requests must send (Authorization: Bearer ...) "
                 "[environment variable LEAF_SERVE_TOKEN]");
}

void add_limit_options(CLI::App& app, ServeOptions& o) {
  app.add_option("--max-wait-ms", o.max_wait_ms,
                 "Milliseconds that an image waits for others to fill a batch")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_option("--queue", o.service.queue,
                 "Images at work at a time, waiting ones included; more are refused (503)")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--max-bytes", o.service.gate.max_bytes, "Larger bodies are refused (413)")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_option("--timeout", o.timeout_seconds,
                 "Seconds for a request to arrive, for its answer to be made, and for that to be "
                 "taken; also for the end after a signal")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
}

/// The first line of a text, without blanks at its end.
std::string first_line(const std::string& text) {
  const std::string line = text.substr(0, text.find('\n'));
  return line.substr(0, line.find_last_not_of(" \t\r") + 1);
}

std::string read_token(const std::filesystem::path& file) {
  constexpr std::size_t kShortest = 16;
  const char* variable = std::getenv(kTokenVariable);
  if (file.empty() && variable == nullptr) {
    return "";
  }
  const std::string token = first_line(file.empty() ? variable : read_file(file));
  if (token.size() < kShortest) {
    throw ConfigError(
        str("the token of ", file.empty() ? kTokenVariable : "--token-file '" + file.string() + "'",
            " has fewer than ", kShortest, " characters; make one by `openssl rand -hex 32`"));
  }
  return token;
}

}  // namespace

void add_serve_options(CLI::App& app, ServeOptions& o) {
  app.add_option("--model", o.model, "Model folder, or run folder (its best, else its last)")
      ->required();
  add_address_options(app, o);
  add_batch_size_option(app, o.batch_size);
  add_limit_options(app, o);
  add_picture_options(app, o.segmenter);
  add_noise_options(app, o.segmenter, o.noise);
  add_common_options(app, o.common);
}

void parse_words(ServeOptions& o) {
  o.segmenter.noise = parse_enum<StartingNoise>(o.noise, "--noise");
  o.service.batch_size = parse_batch_size(o.batch_size);
  o.service.max_wait = std::chrono::milliseconds(o.max_wait_ms);
  o.service.timeout =
      std::chrono::milliseconds(static_cast<std::int64_t>(1000 * o.timeout_seconds));
  o.service.gate.token = read_token(o.token_file);
  if (o.service.gate.token.empty() && !is_loopback(o.service.gate.host)) {
    throw ConfigError(str("--host ", o.service.gate.host,
                          " can be reached by others: give --token-file or ", kTokenVariable));
  }
}

}  // namespace leaf::apps
